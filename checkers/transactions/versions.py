"""The order of the versions of each list, as reads tell it; and what is wrong without any cycle.

Rules
1. A list only grows by appends, so a read of it is its whole past: of two reads of a list one is a
   prefix of the other, and the longest tells the order of all appends that anybody saw.
2. An append of a committed transaction that nobody saw comes behind all that was seen. A
   transaction of unknown outcome is committed if one of its appends was seen; otherwise it is not
   known to have happened, and constrains nothing.
3. What is read was appended (invented otherwise), once (duplicated), by a transaction that did not
   abort (G1a), and is not the middle of what one transaction appended (G1b).
4. Two transactions that read one version of a list and appended to it have lost an update.

Sources: Kingsbury and Alvaro, Elle, VLDB 2020, section 4 (traceability, recoverability); Adya 1999,
section 3.2 for G1a and G1b, which are his.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from checkers.finding import Found, end_of, found, shown
from checkers.transactions.reading import Read, Transaction, Value, Values

Versions = dict[Any, "Order"]


class Order:
    """What is known of one list. `values`: the longest read, which `reader` made; `writers`: the
    places of the transactions that appended them, -1 for nobody; `unseen`: those of committed
    transactions whose appends nobody saw."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.values: Values = ()
        self.reader: Transaction | None = None
        self.writers: list[int] = []
        self.unseen: list[int] = []
        self.appended: dict[Value, Transaction] = {}

    def begun(self) -> list[float]:
        """By length of a prefix (less 1): the latest invocation among its appends."""
        indices = (self.appended[v].index if v in self.appended else -1 for v in self.values)
        return list(accumulate(indices, max))


def versions_of(transactions: Sequence[Transaction]) -> Versions:
    """By list, in the order of first use."""
    orders: Versions = {}
    for txn in transactions:
        for key, values in txn.appends.items():
            order = orders.get(key) or orders.setdefault(key, Order(key))
            order.appended.update(dict.fromkeys(values, txn))
        for read in txn.reads:
            order = orders.get(read.key) or orders.setdefault(read.key, Order(read.key))
            if order.reader is None or len(read.values) > len(order.values):
                order.values, order.reader = read.values, txn
    for order in orders.values():
        order.writers = [_place(order, value) for value in order.values]
    seen = {place for order in orders.values() for place in order.writers}
    for order in orders.values():
        there = set(order.values)
        unseen = (
            txn.place
            for value, txn in order.appended.items()
            if value not in there
            and (txn.outcome == "ok" or (txn.outcome == "info" and txn.place in seen))
        )
        order.unseen = list(dict.fromkeys(unseen))
    return orders


def _place(order: Order, value: Value) -> int:
    txn = order.appended.get(value)
    return -1 if txn is None else txn.place


def anomalies(transactions: Sequence[Transaction], versions: Versions) -> Iterator[Found]:
    """What is wrong by itself. The first of each kind is enough for a verdict."""
    for order in versions.values():
        yield from _of_order(order, transactions)
    begun = {key: order.begun() for key, order in versions.items()}
    updates: dict[tuple[Any, int], Transaction] = {}
    for txn in transactions:
        if txn.broken is not None:
            yield _internal(txn, *txn.broken)
        for read in txn.reads:
            order = versions[read.key]
            yield from _of_read(txn, read, order, begun[read.key])
            if read.first and read.key in txn.appends:
                version = (read.key, len(read.values))
                earlier = updates.setdefault(version, txn)
                if earlier is not txn:
                    yield _lost_update(earlier, txn, read)


def _of_order(order: Order, transactions: Sequence[Transaction]) -> Iterator[Found]:
    seen: set[Value] = set()
    behind: dict[int, int] = {}  # by writer: which of its appends was the last so far
    for value, place in zip(order.values, order.writers, strict=True):
        if value in seen:
            yield _in_longest("duplicated", order, value, "twice in one list")
        elif place < 0:
            yield _in_longest("invented", order, value, "which no transaction appended")
        elif transactions[place].outcome == "fail":
            writer = transactions[place]
            why = f"which operation {writer.index}, aborted, appended"
            yield _in_longest("G1a", order, value, why, writer)
        elif (at := transactions[place].appends[order.key].index(value)) < behind.get(place, 0):
            writer = transactions[place]
            why = f"behind what operation {writer.index}, which appended both, appended later"
            yield _in_longest("incompatible-order", order, value, why, writer)
        else:
            behind[place] = at
        seen.add(value)


_TITLES = {
    "duplicated": "Duplicated",
    "invented": "Invented",
    "G1a": "G1a (aborted read)",
    "incompatible-order": "Incompatible orders",
}


def _in_longest(kind: str, order: Order, value: Value, why: str, *writers: Transaction) -> Found:
    reader = order.reader
    assert reader is not None, "what is in an order was read"
    sentence = (
        f"{_TITLES[kind]}: operation {reader.index} read {shown(value)} in {shown(order.key)}, "
        f"{why}."
    )
    return found(kind, sentence, [*(w.call for w in writers), reader.call], key=order.key)


def _of_read(txn: Transaction, read: Read, order: Order, begun: Sequence[float]) -> Iterator[Found]:
    values, length = read.values, len(read.values)
    if values != order.values[:length]:
        yield _incompatible(txn, read, order)
        return
    if length and begun[length - 1] > end_of(txn.call):
        late = max((order.appended[v] for v in values if v in order.appended), key=_index)
        sentence = (
            f"Invented: operation {txn.index} read {shown(list(values))} in {shown(read.key)} "
            f"before operation {late.index}, which appended some of it, was invoked."
        )
        yield found("invented", sentence, (txn.call, late.call), key=read.key)
    if not read.external:
        return
    last = values[read.external - 1]
    writer = order.appended.get(last)
    if writer is not None and writer is not txn and writer.appends[read.key][-1] != last:
        sentence = (
            f"G1b (intermediate read): operation {txn.index} read {shown(read.key)} up to "
            f"{shown(last)}, where operation {writer.index} had still to append "
            f"{shown(writer.appends[read.key][-1])}."
        )
        yield found("G1b", sentence, (writer.call, txn.call), key=read.key)


def _index(txn: Transaction) -> int:
    return txn.index


def _incompatible(txn: Transaction, read: Read, order: Order) -> Found:
    assert order.reader is not None
    pairs = enumerate(zip(read.values, order.values, strict=False))
    at, (mine, other) = next(entry for entry in pairs if entry[1][0] != entry[1][1])
    sentence = (
        f"Incompatible orders: at place {at} of {shown(read.key)} operation {txn.index} read "
        f"{shown(mine)} and operation {order.reader.index} read {shown(other)}."
    )
    return found("incompatible-order", sentence, (txn.call, order.reader.call), key=read.key)


def _internal(txn: Transaction, read: Read, expected: str) -> Found:
    sentence = (
        f"Internal: operation {txn.index} read {shown(list(read.values))} in {shown(read.key)}, "
        f"where what it had done itself leads to {expected}."
    )
    return found("internal", sentence, (txn.call,), key=read.key)


def _lost_update(one: Transaction, other: Transaction, read: Read) -> Found:
    sentence = (
        f"Lost update: operations {one.index} and {other.index} both read {shown(read.key)} as "
        f"{shown(list(read.values))} and appended to it, {shown(one.appends[read.key][0])} and "
        f"{shown(other.appends[read.key][0])}: one did not see the other."
    )
    return found("lost-update", sentence, (one.call, other.call), key=read.key)
