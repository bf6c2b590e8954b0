"""A register that keeps its values in Maelstrom's service lin-kv, and falls over one of them.

It is right as long as it lives: the service does all the work. But whoever wrote it had never seen
the value that `--dies-of` names, and a write of it ends the node. Standard library only.
"""

import argparse
import json
import sys


class Proxy:
    def __init__(self, dies_of):
        self.dies_of = dies_of
        self.name = None
        self.asked = {}  # requests to the service: msg_id -> (client, its msg_id)

    def handle(self, src, body):
        if body["type"] == "init":
            self.name = body["node_id"]
            self.send(src, type="init_ok", in_reply_to=body["msg_id"])
        elif body["type"] in ("read", "write", "cas"):
            if body.get("value") == self.dies_of:
                raise ValueError(f"who would write {self.dies_of}?")
            number = len(self.asked) + 1
            self.asked[number] = (src, body["msg_id"])
            self.send("lin-kv", **{**body, "msg_id": number})
        elif src == "lin-kv" and self.asked.get(body["in_reply_to"]):
            client, number = self.asked[body["in_reply_to"]]
            self.asked[body["in_reply_to"]] = None
            self.send(client, **{**body, "in_reply_to": number})

    def send(self, dest, **body):
        print(json.dumps({"src": self.name, "dest": dest, "body": body}), flush=True)


options = argparse.ArgumentParser()
options.add_argument("--dies-of", type=int, default=20)
proxy = Proxy(options.parse_args().dies_of)
for line in sys.stdin:
    message = json.loads(line)
    proxy.handle(message["src"], message["body"])
