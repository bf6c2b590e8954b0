"""A system that is a function which builds a machine, and nothing else: no file describes it.

The function (or class) is called with those of `name`, `peers`, `rng`, `workload` and `options` by
name that it takes, and returns a machine (harness.machine). Clients speak to it as to any machine:
a request is `{"f": NAME, "key": KEY, "value": VALUE}` with the operations of the workload as they
are (`read`, `write`, `cas`, ...), an answer `{"ok": RESULT}` or `{"error": {"code": ..., "text":
...}}`.

Rules
1. It offers every workload, unless `offers` says which: a workload whose operations it does not
   know ends in answers that are errors, and so in UNKNOWN by coverage, never in VALID.
2. Of the errors only those of ERRORS say that nothing happened; any other may have.
3. A machine that answers `{"f": "status"}` with `{"ok": {"ready": BOOL, "leading": BOOL}}` says
   when it serves and who leads. It is asked once, when it is new, whether it does. One that does
   not serves as soon as it can be reached, and no fault finds a leader.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import msgspec

from harness.contracts import Address, Client, Command, EnvironmentTrouble, Framing, NodePlan
from harness.machine import ClientRequest, Effect, Machine, NodeId, Recover, Reply
from harness.systems.jsonlines import JsonLinesClient, ProtocolError, ask_once, connect
from harness.systems.specification import CLIENT, PEER, Call, Dialect
from harness.trial import TrialError, nearest

Meaning = Literal["fail", "info"]
Build = TypeVar("Build", bound=Callable[..., Any])

ERRORS: Mapping[str, Meaning] = MappingProxyType(
    dict.fromkeys(
        ("compare-failed", "no-leader", "not-leader", "overloaded", "malformed", "unsupported"),
        "fail",
    )
)
# The operations of each workload; what none of them has, no client asks for.
OPERATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "register": ("read", "write", "cas"),
        "consensus": ("propose", "read"),
        "log": ("append", "read"),
        "set": ("add", "read"),
        "queue": ("enqueue", "dequeue"),
        "lock": ("acquire", "release"),
        "counter": ("add", "read"),
        "echo": ("echo",),
        "unique-ids": ("generate",),
        "broadcast": ("broadcast", "read"),
        "g-set": ("add", "read"),
        "txn-list-append": ("txn",),
    }
)
_GIVEN = ("name", "peers", "rng", "workload", "options")
_STATUS = "status"
_STATUS_TIMEOUT_S = 0.5
_OFFERED = "antipaxos_offers"


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine can do, where it is not everything. `options`: those it takes, with defaults;
    None: any. `errors`: what further error codes mean."""

    workloads: tuple[str, ...] = tuple(OPERATIONS)
    errors: Mapping[str, Meaning] = {}
    options: Mapping[str, str] | None = None


def offers(
    *workloads: str,
    errors: Mapping[str, Meaning] | None = None,
    options: Mapping[str, str] | None = None,
) -> Callable[[Build], Build]:
    """Say of a function that builds a machine which workloads that serves (none named: all), what
    its own error codes mean, and which options it takes, with their defaults.

        @offers("register", errors={"lost-my-term": "info"}, options={"reads": "quorum"})
        def build(name, peers, rng, options): ...

    Raises TrialError for a workload that there is not.
    """
    for named in workloads:
        if named not in OPERATIONS:
            raise TrialError([f"no workload {named!r} for a machine. {nearest(named, OPERATIONS)}"])
    for code, meaning in (errors or {}).items():
        if meaning not in ("fail", "info"):
            raise TrialError([f"error {code!r} means {meaning!r}. Valid are: fail, info."])
    told = Offers(workloads=workloads or tuple(OPERATIONS), errors=errors or {}, options=options)

    def mark(build: Build) -> Build:
        setattr(build, _OFFERED, told)
        return build

    return mark


class MachineSystem:
    """Implements harness.contracts.System. `name`: for people."""

    clusters: Sequence[str] = ("simulated",)
    simulable = True
    framings: Mapping[str, Framing] = MappingProxyType(
        {PEER: Framing(kind="length"), CLIENT: Framing(kind="line")}
    )

    def __init__(self, build: Callable[..., Machine], name: str) -> None:
        """Raises TrialError for a function that cannot be called as it will be."""
        self.name = name
        self._build = build
        self._takes = _parameters(build, name)
        self._offers: Offers = getattr(build, _OFFERED, Offers())
        self._tells: dict[tuple[str, ...], bool] = {}
        self._status: str | None = None  # the call, where the machines of the latest run have it

    @property
    def workloads(self) -> Sequence[str]:
        return self._offers.workloads

    @property
    def defaults(self) -> Mapping[str, str]:
        return self._offers.options or {}

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        known = self._offers.options
        if known is None:
            return []
        return [
            f"system {self.name} has no option {name!r}. {nearest(name, known)}"
            for name in options
            if name not in known
        ]

    def command(self, plan: NodePlan) -> Command:  # noqa: ARG002 - there is none for any
        raise EnvironmentTrouble(f"system {self.name} is a machine and has no program to start.")

    def client(self, node: str, address: Address, workload: str, timeout_s: float) -> Client:
        dialect = Dialect(
            reads=frozenset({"read"}),
            errors={**ERRORS, **self._offers.errors},
            status=self._status,
        )
        calls = {f: Call(f) for f in OPERATIONS[workload]}
        return JsonLinesClient(node, address, dialect, calls, timeout_s)

    async def ready(self, node: str, address: Address) -> bool:  # noqa: ARG002 - System's
        if self._status is None:
            return await _accepts(address)
        return (await _asked(address)).get("ready") is True

    async def leaders(self, addresses: Mapping[str, Address]) -> tuple[str, ...]:
        if self._status is None:
            return ()
        answers = await asyncio.gather(*(_asked(address) for address in addresses.values()))
        told = zip(addresses, answers, strict=True)
        return tuple(node for node, answer in told if answer.get("leading") is True)

    def machine(
        self,
        node: NodeId,
        peers: Sequence[NodeId],
        random: Random,
        workload: str,
        options: Mapping[str, str],
    ) -> Machine:
        """Raises TrialError where the function gives what is no machine."""
        settled = {**self.defaults, **options}
        given = dict(zip(_GIVEN, (node, tuple(peers), random, workload, settled), strict=True))
        built = self._called(given)
        asked = (workload, *map("=".join, sorted(settled.items())))
        if asked not in self._tells:
            self._tells[asked] = self._tells_status(self._called({**given, "rng": Random(0)}))
        self._status = _STATUS if self._tells[asked] else None
        return built

    def _called(self, given: Mapping[str, Any]) -> Machine:
        built: Machine = self._build(**{name: given[name] for name in self._takes})
        if not callable(getattr(built, "handle", None)):
            raise TrialError(
                [
                    f"system {self.name} gave {built!r:.200}, which has no method 'handle': it "
                    "must return a machine (harness.machine)."
                ]
            )
        return built

    def _tells_status(self, machine: Machine) -> bool:
        """Does a new machine answer that call? One that fails at it is not asked again. Raises
        TrialError where it forgets to return its effects."""
        effects: list[Effect] = []
        for event in (Recover(()), ClientRequest(1, {"id": 1, "f": _STATUS})):
            gave: Any = ()
            with contextlib.suppress(Exception):  # told when it does so in the run
                gave = machine.handle(event, 0.0)
                effects += gave or ()
            if gave is None:
                raise TrialError(
                    [
                        f"system {self.name}: handle({type(event).__name__}) returned None. Return "
                        "a list of effects from every event, [] where there is nothing to do."
                    ]
                )
        with contextlib.suppress(Exception):
            answers = [effect.response for effect in effects if isinstance(effect, Reply)]
            return any(isinstance(answer["ok"]["ready"], bool) for answer in answers)
        return False


def _parameters(build: Callable[..., Machine], name: str) -> tuple[str, ...]:
    """Those of _GIVEN that it takes."""
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):  # something of C's, which does not say
        return _GIVEN
    named = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in named):
        taken: tuple[str, ...] = _GIVEN
    else:
        taken = tuple(known for known in _GIVEN if known in signature.parameters)
    try:
        signature.bind(**dict.fromkeys(taken))
    except TypeError as wrong:
        raise TrialError(
            [
                f"system {name} cannot be called to build a machine: {wrong}. It is given those of "
                f"{', '.join(_GIVEN)} by name that it takes; bind the rest (functools.partial)."
            ]
        ) from wrong
    return taken


async def _asked(address: Address) -> Mapping[str, Any]:
    """What it says of itself; nothing where it does not answer."""
    try:
        answer = await ask_once(address, _STATUS, _STATUS_TIMEOUT_S)
    except ProtocolError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _accepts(address: Address) -> bool:
    deadline = asyncio.get_running_loop().time() + _STATUS_TIMEOUT_S
    try:
        connection = await connect(address, None, deadline)
    except OSError:
        return False
    connection.close()
    return True
