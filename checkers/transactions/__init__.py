"""Transactions that append to lists and read them: anomalies of isolation, with minimal cycles.

From a read of a list the order of all appends to it is known, and who made them; so what depended
on what is inferred, and a cycle of dependencies is a proof that no order explains the history.
`reading` takes transactions from a history, `versions` orders what they did to each list and finds
what is wrong by itself, `graph` and `cycles` find what is wrong together, `explaining` tells it.
"""

from __future__ import annotations

from checkers.transactions.checker import FORBIDDEN, Consistency, Transactions

__all__ = ["FORBIDDEN", "Consistency", "Transactions"]
