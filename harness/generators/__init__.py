"""Pure generators of operations: what clients do, when, and who does it.

    phases(
        time_limit(30, stagger(0.001, mix(constant("read"), generate(write)))),
        each_worker(until_ok(constant("read"))),
    )

docs/generators.md tells how they compose; the rules are at the head of `contract`.
"""

from harness.generators.choice import mix, weighted
from harness.generators.contract import (
    PENDING,
    Answer,
    Context,
    Generator,
    GeneratorError,
    Invocation,
    Pending,
    Request,
)
from harness.generators.keys import rotate_keys
from harness.generators.mapping import deferred, map_operations, rename, watch
from harness.generators.order import (
    concurrency_limit,
    limit,
    once,
    phases,
    process_limit,
    repeat,
    sequence,
    synchronize,
    then,
    until_ok,
)
from harness.generators.roster import Roster
from harness.generators.routing import each_process, each_worker, for_each_worker, reserve
from harness.generators.sources import NOTHING, constant, generate, operation
from harness.generators.timing import delay, stagger, time_limit

__all__ = [
    "NOTHING",
    "PENDING",
    "Answer",
    "Context",
    "Generator",
    "GeneratorError",
    "Invocation",
    "Pending",
    "Request",
    "Roster",
    "concurrency_limit",
    "constant",
    "deferred",
    "delay",
    "each_process",
    "each_worker",
    "for_each_worker",
    "generate",
    "limit",
    "map_operations",
    "mix",
    "once",
    "operation",
    "phases",
    "process_limit",
    "rename",
    "repeat",
    "reserve",
    "rotate_keys",
    "sequence",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "until_ok",
    "watch",
    "weighted",
]
