"""From a recorded history to a verdict. Runs nothing, imports none of the other packages.

from checkers import History, Operation, check
"""

from __future__ import annotations

from checkers.history import Call, History, HistoryError, Operation
from checkers.verdict import Kind, Recording, Verdict

__all__ = ["Call", "History", "HistoryError", "Kind", "Operation", "Recording", "Verdict", "check"]


def check(history: History, model: str, time_limit_s: float = 60.0) -> Verdict:
    """Is the history linearizable with respect to the model of this name?

    Raises ValueError, naming the nearest valid models, and HistoryError where the model cannot
    read a value.
    """
    # The search is imported here so that importing the package costs nothing.
    from checkers import models
    from checkers.budget import Budget
    from checkers.linearizability import check_linearizability

    return check_linearizability(history, models.model(model), Budget(time_s=time_limit_s))
