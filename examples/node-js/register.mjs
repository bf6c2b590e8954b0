// One node that keeps registers, and a log of them on disk, in nothing but Node.js.
//
// With --log synced every change is on disk before it is answered. With --log buffered changes are
// collected first, 64 KiB of them, and whoever kills the node kills what it has promised.

import fs from "node:fs";
import net from "node:net";
import readline from "node:readline";
import { parseArgs } from "node:util";

const BUFFER_BYTES = 64 * 1024;
const text = { type: "string" };
const { values: given } = parseArgs({ options: { data: text, ip: text, port: text, log: text } });
const path = `${given.data}/log`;
const registers = new Map();
let buffer = "";

const log = fs.openSync(path, "a+");
const found = fs.readFileSync(path);
const whole = found.lastIndexOf("\n") + 1; // what follows was torn by a crash, and never answered
fs.ftruncateSync(log, whole);
for (const line of found.subarray(0, whole).toString().split("\n").slice(0, -1)) {
  registers.set(...JSON.parse(line));
}

function set(key, value) {
  buffer += JSON.stringify([key, value]) + "\n";
  if (given.log === "synced" || buffer.length > BUFFER_BYTES) {
    fs.writeSync(log, buffer);
    fs.fsyncSync(log);
    buffer = "";
  }
  registers.set(key, value);
}

function perform({ f, key, value = null }) {
  const current = registers.get(key) ?? null;
  switch (f) {
    case "status":
      return { ok: { ready: true, leading: true } };
    case "get":
      return { ok: current };
    case "put":
      set(key, value);
      return { ok: null };
    case "cas":
      if (current !== value[0]) return { error: { code: "compare-failed", text: `${current}` } };
      set(key, value[1]);
      return { ok: null };
    default:
      return { error: { code: "unsupported", text: `there is no ${f}` } };
  }
}

const server = net.createServer((socket) => {
  socket.on("error", () => socket.destroy()); // the client is gone, which is its right
  readline.createInterface({ input: socket }).on("line", (line) => {
    const request = JSON.parse(line);
    socket.write(JSON.stringify({ id: request.id, ...perform(request) }) + "\n");
  });
});
server.listen(Number(given.port), given.ip);
