"use strict";
// Reading what the page carries: deflated columns of 32-bit numbers behind a head of JSON.

const OUTCOMES = ["ok", "fail", "info"];
const NEVER = 0xffffffff;

async function read(element) {
  const text = atob(element.textContent);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) { packed[i] = text.charCodeAt(i); }
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = await new Response(stream).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const columns = {};
  head.columns.forEach((name, n) => {
    const column = new Uint32Array(bytes, 4 + length + 4 * n * head.count, head.count);
    if (head.stepped.includes(name)) {
      for (let i = 1; i < column.length; i++) { column[i] += column[i - 1]; } // modulo 2^32, as written
    }
    columns[name] = column;
  });
  return prepared(head, columns);
}

// Seconds from the origin, and for each row its operations with how far the ones before reach.
function prepared(head, columns) {
  const start = new Float64Array(head.count), end = new Float64Array(head.count);
  const rows = Array.from({ length: Math.max(head.rows, 1) }, () => []);
  let shortest = Infinity, longest = 0;
  for (let i = 0; i < head.count; i++) {
    start[i] = columns.start[i] * head.step_s;
    const taken = columns.taken[i] === NEVER ? Infinity : columns.taken[i] * head.step_s;
    end[i] = start[i] + taken;
    if (taken !== Infinity) {
      shortest = Math.min(shortest, Math.max(taken, 1e-6));
      longest = Math.max(longest, taken);
    }
    rows[columns.row[i]].push(i);
  }
  return {
    ...head, ...columns, start, end,
    byRow: rows.map((listed) => row(listed, start, end)),
    shortest: Math.min(shortest, longest || 1e-3), longest: Math.max(longest, 1e-3),
    end_s: Math.max(head.end_s, 1e-6),
  };
}

// `reach`: the latest end of what begins up to here, so that what reaches into a view is found.
function row(listed, start, end) {
  const reach = new Float64Array(listed.length);
  let far = -Infinity;
  listed.forEach((i, n) => { far = Math.max(far, end[i] === Infinity ? start[i] : end[i]); reach[n] = far; });
  return { at: Uint32Array.from(listed), reach, open: listed.filter((i) => end[i] === Infinity) };
}

// The first place in a rising column whose value is not below the wanted one.
function lowest(column, wanted) {
  let low = 0, high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] < wanted) { low = middle + 1; } else { high = middle; }
  }
  return low;
}

function told(d, i) {
  const node = d.texts.node[d.node[i]], key = d.texts.key[d.key[i]];
  const at = node ? ` at ${node}` : "", on = key ? ` on ${key}` : "";
  return `operation ${d.index[i]}, process ${d.process[i]}${at}: ${d.texts.text[d.text[i]]}${on}`;
}

function lasted(d, i) {
  return d.end[i] === Infinity ? "never returned" : duration(d, d.end[i] - d.start[i]);
}

function duration(d, seconds) {
  if (d.by_order) { return `${seconds} events`; }
  if (seconds < 1e-3) { return `${(seconds * 1e6).toFixed(0)} µs`; }
  return seconds < 1 ? `${(seconds * 1e3).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}

// A moment as the rest of the page writes it, as fine as the part that is seen.
function moment(d, seconds, step = 0.001) {
  if (d.by_order) { return `${Math.round(seconds)}`; }
  const digits = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step))));
  return `${(d.origin_s + seconds).toFixed(digits)} s`;
}
