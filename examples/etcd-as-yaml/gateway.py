"""Registers in etcd through its JSON gateway, as a client of one member. Plain functions: they run
on a thread of their own."""

import base64
import json
from http.client import HTTPConnection, HTTPException

from checkers.history import Error
from harness.contracts import Completion


class Register:
    def __init__(self, node, address, workload, timeout_s):
        del node, workload  # it needs neither
        self.connection = HTTPConnection(*address, timeout=timeout_s)

    def open(self):
        """What raises here is a certain failure: nothing was sent."""
        self.connection.connect()

    def close(self):
        self.connection.close()

    def invoke(self, operation):
        """What raises here (or is an info) may have happened, now or later."""
        key = text(operation.key)
        if operation.f == "read":
            try:
                found = self.call("range", key=key).get("kvs")
            except (OSError, HTTPException) as wrong:  # a read changes nothing, so it may fail
                return Completion("fail", error=Error("read-failed", str(wrong)))
            return Completion("ok", value(found[0]["value"]) if found else None)
        if operation.f == "write":
            self.call("put", key=key, value=text(operation.value))
            return Completion("ok")
        expected, new = operation.value
        equal = {"key": key, "result": "EQUAL", "target": "VALUE", "value": text(expected)}
        if expected is None:  # never written: such a key has no value to compare
            equal = {"key": key, "result": "EQUAL", "target": "VERSION", "version": 0}
        put = {"request_put": {"key": key, "value": text(new)}}
        if self.call("txn", compare=[equal], success=[put]).get("succeeded"):
            return Completion("ok")
        return Completion("fail", error=Error("compare-failed"))

    def call(self, what, **request):
        self.connection.request("POST", f"/v3/kv/{what}", json.dumps(request))
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{answer.status} {body[:200]}")
        return json.loads(body)


def text(thing):
    return base64.b64encode(json.dumps(thing).encode()).decode()


def value(encoded):
    return json.loads(base64.b64decode(encoded))
