"""Linearizability: could one correct object, touched once in every call, have answered so?"""

from checkers.linearizability.checker import Linearizable, check_linearizability, check_table
from checkers.linearizability.minimise import Standalone, minimal_history

__all__ = [
    "Linearizable",
    "Standalone",
    "check_linearizability",
    "check_table",
    "minimal_history",
]
