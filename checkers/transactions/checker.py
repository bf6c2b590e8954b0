"""The checker of list-append transactions: what is wrong by itself, then cycles.

Rules
1. INVALID names an anomaly that the consistency asked for forbids, with the operations; whatever
   else was found is counted in `anomalies`, and `violates` lists all that the findings forbid.
2. What the consistency allows is told (`allowed`) and does not make a history INVALID.
3. VALID of strict serializability and of serializability is complete: a history without an anomaly
   has a serial order, the order of the graph. Of weaker ones it says that nothing was found.

Sources: Kingsbury and Alvaro, Elle: Inferring Isolation Anomalies from Experimental Observations,
VLDB 2020; Adya, Weak Consistency, PhD thesis, MIT 1999.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

from checkers.finding import Found, counted, invalid, untold, valid
from checkers.transactions.cycles import Search
from checkers.transactions.explaining import explained
from checkers.transactions.graph import RT, RW, WR, WW, graph_of
from checkers.transactions.reading import Transaction, transactions_of
from checkers.transactions.versions import anomalies, versions_of
from checkers.verdict import Kind, Recording, Verdict

Consistency = Literal[
    "read-uncommitted",
    "read-committed",
    "snapshot-isolation",
    "serializable",
    "strict-serializable",
]

FOUND_MAX = 1_000  # anomalies: more are not counted

_CYCLES = ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item")
# What each forbids besides what the one before it forbids.
_FURTHER: tuple[tuple[Consistency, tuple[str, ...]], ...] = (
    ("read-uncommitted", ("invented", "duplicated", "G0")),
    ("read-committed", ("G1a", "G1b", "G1c", "incompatible-order")),
    ("snapshot-isolation", ("internal", "lost-update", "G-single", "G-nonadjacent")),
    ("serializable", ("G2-item",)),
    ("strict-serializable", tuple(f"{name}-realtime" for name in _CYCLES)),
)


def _forbidden() -> Mapping[Consistency, frozenset[str]]:
    so_far: frozenset[str] = frozenset()
    table = {}
    for consistency, further in _FURTHER:
        so_far |= set(further)
        table[consistency] = so_far
    return MappingProxyType(table)


FORBIDDEN = _forbidden()
_SEVERITY = {name: at for at, name in enumerate(n for _, names in _FURTHER for n in names)}


class Transactions:
    """Judges `txn`, as documented in `reading`.

    Evidence of INVALID: `kind` (the anomaly), `operations`, `cycle` where it is one, `key` where it
    is of one list; of all: `consistency`, `anomalies` (how many were found by kind), `violates`,
    `allowed`. Raises ValueError for a consistency that it does not know, HistoryError where it
    cannot read a transaction.
    """

    name = "transactions"

    def __init__(self, consistency: Consistency = "strict-serializable") -> None:
        if consistency not in FORBIDDEN:
            known = ", ".join(get_args(Consistency))
            raise ValueError(f"no consistency is called {consistency!r}: there are {known}")
        self.consistency = consistency

    def check(self, recording: Recording) -> Verdict:
        transactions = transactions_of(recording.history.calls())
        versions = versions_of(transactions)
        wrong = list(anomalies(transactions, versions))
        search = Search(graph_of(transactions, versions, self._kinds()))
        for cycle in search.worst():
            wrong.append(explained(cycle, transactions, versions))
            if len(wrong) >= FOUND_MAX and wrong[-1].kind in FORBIDDEN[self.consistency]:
                break
        return self._verdict(transactions, wrong, search.exhausted)

    def _verdict(
        self, transactions: Sequence[Transaction], wrong: Sequence[Found], exhausted: bool
    ) -> Verdict:
        forbidden = [f for f in wrong if f.kind in FORBIDDEN[self.consistency]]
        told = self._told(wrong)
        if forbidden:
            worst = min(forbidden, key=lambda f: (_SEVERITY[f.kind], len(f.operations)))
            of_it: dict[str, Any] = {**worst.more, **told}
            return invalid(self.name, Found(worst.kind, worst.sentence, worst.operations, of_it))
        if exhausted:
            sentence = (
                f"There are cycles; not all were searched for what {self.consistency} forbids."
            )
            return Verdict(
                checker=self.name,
                kind=Kind.UNKNOWN,
                cause="budget",
                summary=sentence,
                evidence=told,
            )
        if not any(read.values for txn in transactions for read in txn.reads):
            return untold(self.name, "No transaction ever read what one had appended.", **told)
        happened = sum(txn.outcome == "ok" for txn in transactions)
        sentence = f"{counted(happened, 'transaction')}: {self.consistency}"
        allowed = f"; {', '.join(told['allowed'])} occurred, which it allows" * bool(wrong)
        return valid(self.name, f"{sentence}{allowed}.", **told)

    def _kinds(self) -> tuple[int, ...]:
        """The dependencies that it takes to find what is forbidden, and no others."""
        if self.consistency == "read-uncommitted":
            return (WW,)
        if self.consistency == "read-committed":
            return (WW, WR)
        return (WW, WR, RW, RT) if self.consistency == "strict-serializable" else (WW, WR, RW)

    def _told(self, wrong: Iterable[Found]) -> dict[str, Any]:
        counts: dict[str, int] = {}
        for finding in wrong:
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
        return {
            "consistency": self.consistency,
            "anomalies": counts,
            "violates": [name for name, kinds in FORBIDDEN.items() if kinds & counts.keys()],
            "allowed": sorted(counts.keys() - FORBIDDEN[self.consistency]),
        }
