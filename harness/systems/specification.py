"""What a YAML file says about a system: how a node is started and how clients speak to it.

The page for users is docs/systems.md; `reading` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.contracts import Chore, Framing

PEER, CLIENT = "peer", "client"  # the ports with links: between nodes, and from clients

Protocol = Literal["json-lines", "maelstrom", "python", "program"]


class Call(msgspec.Struct, frozen=True):
    """How an operation is asked of the system. `absent`: the value that a result of null means."""

    f: str
    absent: Any = None


class Part(msgspec.Struct, frozen=True):
    """A workload that the system can serve: arguments of its nodes, calls by operation."""

    args: tuple[str, ...]
    calls: Mapping[str, Call]


class Option(msgspec.Struct, frozen=True):
    """A setting of a trial. `default` None: left out unless given. No `choices`: any text.

    `choices_from`: an entry-point group whose entry with the system's name holds objects; their
    names are further choices.
    """

    args: tuple[str, ...]
    choices: tuple[str, ...] = ()
    choices_from: str | None = None
    default: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """What `{peers}` or `{members}` becomes: `each` filled in for every peer, or for every node,
    as arguments or joined to one text."""

    each: tuple[str, ...] = ()
    join: str | None = None


class Dialect(msgspec.Struct, frozen=True):
    """How clients speak. maelstrom: Maelstrom's messages, of which there is nothing more to say;
    python: a class of the user's, `made_of` 'module:Class'; program: one of theirs, `made_of` the
    templates of its command; json-lines: newline-delimited JSON, and the rest is about that.

    `reads`: calls without effect, whose failures are definite. `errors`: what an error code means;
    what is absent is info. `status`: the call that tells readiness and leadership, None if there is
    none. `retries`: how often a command of unknown outcome is sent again, with `session` and `seq`;
    only for systems that then apply it once."""

    reads: frozenset[str] = frozenset()
    errors: Mapping[str, Literal["fail", "info"]] = {}
    status: str | None = None
    retries: int = 0
    protocol: Protocol = "json-lines"
    made_of: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True):
    """Something to ask about a node from the harness: a command whose exit status 0 means yes, or
    an address whose answer 2xx does. Templates; one of the two."""

    command: tuple[str, ...] = ()
    http: str = ""


class Life(msgspec.Struct, frozen=True):
    """What else is done with a node. `chores`: commands on its host, templates; `logs`: files that
    it writes; `ready`: does it serve; `leads`: does it lead. None: asked in the client's way."""

    chores: Mapping[Chore, tuple[tuple[str, ...], ...]] = {}
    logs: tuple[str, ...] = ()
    ready: Question | None = None
    leads: Question | None = None


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file. `here`: its directory."""

    name: str
    here: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    ports: Mapping[str, Framing]
    peers: Listing
    options: Mapping[str, Option]
    workloads: Mapping[str, Part]
    client: Dialect
    members: Listing = Listing()  # each of them with one address for all: only on hosts
    life: Life = Life()
    clusters: tuple[str, ...]
    machine: str | None = None  # 'module:function', for the simulated cluster
