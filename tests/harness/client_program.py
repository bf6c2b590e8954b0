"""A client program that does what its first argument says, most of it wrong. Standard library only.

It keeps the registers itself: what is tested with it is how it is spoken to. The mode's number, if
it has one ("nonsense-10"), is that of the operations that go well before.
"""

import json
import os
import sys
import time

MODE, _, BEFORE = sys.argv[1].partition("-")
registers = {}


def answer(asked):
    key, value = asked.get("key"), asked.get("value")
    if asked["f"] == "read":
        return {"type": "ok", "value": registers.get(key)}
    if asked["f"] == "cas":
        if registers.get(key) != value[0]:
            return {"type": "fail", "error": {"code": "compare-failed"}}
        value = value[1]
    registers[key] = value
    return {"type": "ok"}


def misbehave(asked):
    right = {"id": asked["id"], "type": "ok"}
    match MODE:
        case "nonsense":
            print("what was the question?", flush=True)
        case "hang":
            time.sleep(600)
        case "twice":
            print(json.dumps(right), json.dumps(right), sep="\n", flush=True)
        case "wrong":
            print(json.dumps({**right, "id": 77}), flush=True)
        case "middle":
            sys.exit(3)
        case "mute":
            os.close(1)
            time.sleep(600)
        case "endless":
            while True:
                sys.stdout.write("x" * 65536)


print(f"this client is {MODE}", file=sys.stderr, flush=True)
if MODE == "once":
    sys.exit(4)
for number, line in enumerate(sys.stdin):
    asked = json.loads(line)
    if MODE == "flood":
        sys.stderr.write("y" * 1_000_000 + "\nlast words\n")
        sys.stderr.flush()
    if MODE != "good" and MODE != "flood" and number >= int(BEFORE or 0):
        misbehave(asked)
    else:
        print(json.dumps({"id": asked["id"], **answer(asked)}), flush=True)
