"""A node that keeps WINDOW messages on their way to the other: the load of benchmarks.maelstrom.

It answers each message that it reads with one, and reads nothing of it. Standard library only.
"""

import json
import os
import sys

WINDOW = int(sys.argv[1])


def main() -> None:
    buffer = b""
    while b"\n" not in buffer:
        buffer += os.read(0, 65536)
    first, _, rest = buffer.partition(b"\n")
    init = json.loads(first)
    name = init["body"]["node_id"]
    other = "n2" if name == "n1" else "n1"
    answer = {"src": name, "dest": "c0", "body": {"type": "init_ok", "in_reply_to": 1}}
    write(json.dumps(answer).encode() + b"\n")
    body = {"type": "append_entries", "msg_id": 12345, "term": 3, "entries": ["x" * 60]}
    line = json.dumps({"src": name, "dest": other, "body": body}).encode() + b"\n"
    write(line * (WINDOW + rest.count(b"\n")))
    while data := os.read(0, 1 << 20):
        write(line * data.count(b"\n"))


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


main()
