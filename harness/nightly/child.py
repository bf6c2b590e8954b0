"""The process in which runs are carried out: it takes one task after the other, from its pipe.

Rules
1. It lives as long as who asks it: when the pipe closes it sends itself SIGTERM, which ends a
   simulation at once and has a run on real machines undo its faults on the way out. Idle for
   IDLE_S it ends, too.
2. Past its time limit a task has the stacks of all threads written to standard error, by a thread
   that needs no interpreter. A simulation then ends the process; a run on real machines is ended
   by who asked, in order.
3. Machines may print: answers go by a pipe of their own.

The command is `python -m harness.nightly.child READ WRITE`: the numbers of two pipes.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection

import msgspec

from harness.nightly.performing import perform
from harness.nightly.tasks import Answer, Task

IDLE_S = 600.0


class Order(msgspec.Struct, frozen=True):
    """A task, and after how many seconds it hangs."""

    task: Task
    limit_s: float


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asked
    faulthandler.enable()
    orders = Connection(int(arguments[0]), writable=False)
    answers = Connection(int(arguments[1]), readable=False)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Order)
    while True:
        try:
            order = decoder.decode(waiting.get(timeout=IDLE_S))
        except queue.Empty:
            return
        answers.send_bytes(encoder.encode(_answered(order)))


def _answered(order: Order) -> Answer:
    simulated = order.task.run.cell.simulated
    faulthandler.dump_traceback_later(order.limit_s, exit=simulated)
    try:
        return perform(order.task)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _listen(orders: Connection, waiting: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            waiting.put(orders.recv_bytes())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
