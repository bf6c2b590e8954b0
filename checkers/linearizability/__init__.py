"""Linearizability: could one correct object, touched once in every call, have answered so?"""

from checkers.linearizability.checker import Linearizable, check_linearizability

__all__ = ["Linearizable", "check_linearizability"]
