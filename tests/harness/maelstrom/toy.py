"""A node for tests: echoes, passes on, and, if told so on its command line, misbehaves.

Standard library only. Requests: `echo`; `send` (to the node `dest` a `text`); `inbox` (what others
sent); `ask` (the service `dest` the `request`, and answers what it answered); `say` (writes `line`
as it is); `quit` (exit status 3). Modes: mute (answers no init), refuse (answers it with an error),
twice (says everything twice), nonsense (a line that is no JSON before each answer), flood (only
such lines, without end), bloat (one line without end), deaf (reads nothing after init).
"""

import json
import signal
import sys
from pathlib import Path

MODE = sys.argv[1] if len(sys.argv) > 1 else ""

name = ""
inbox: list[str] = []
asked: dict[int, tuple[str, int]] = {}


def say(dest: str, **body: object) -> None:
    line = json.dumps({"src": name, "dest": dest, "body": body}) + "\n"
    sys.stdout.write(line * 2 if MODE == "twice" else line)
    sys.stdout.flush()


def answer(message: dict, **body: object) -> None:
    say(message["src"], in_reply_to=message["body"]["msg_id"], **body)


def begin(message: dict) -> None:
    global name
    name = message["body"]["node_id"]
    with Path("lives").open("a") as lives:
        lives.write("life\n")
    if MODE == "refuse":
        answer(message, type="error", code=10, text="no room")
    elif MODE not in ("mute", "flood", "bloat"):
        answer(message, type="init_ok")
    while MODE == "flood":
        sys.stdout.write("not a message\n" * 1000)
        sys.stdout.flush()
    while MODE == "bloat":
        sys.stdout.write("x" * 65536)
    while MODE == "deaf":
        signal.pause()


def handle(message: dict) -> None:
    body = message["body"]
    kind = body["type"]
    if MODE == "nonsense":
        print("debug: got", kind)
    if kind == "init":
        begin(message)
    elif kind == "topology":
        inbox.append(json.dumps(body["topology"]))
        answer(message, type="topology_ok")
    elif kind == "echo":
        answer(message, type="echo_ok", echo=body["echo"])
    elif kind == "send":
        say(body["dest"], type="text", text=body["text"])
        answer(message, type="send_ok")
    elif kind == "text":
        inbox.append(body["text"])
    elif kind == "inbox":
        answer(message, type="inbox_ok", texts=inbox)
    elif kind == "ask":
        number = len(asked) + 1
        asked[number] = (message["src"], body["msg_id"])
        say(body["dest"], msg_id=number, **body["request"])
    elif kind == "say":
        print(body["line"], flush=True)
    elif kind == "quit":
        sys.exit(3)
    elif body.get("in_reply_to") in asked:
        client, number = asked.pop(body["in_reply_to"])
        say(client, type="ask_ok", in_reply_to=number, answer=body)


for line in sys.stdin:
    handle(json.loads(line))
