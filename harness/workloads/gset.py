"""Workload g-set: a set that only grows and converges.

Operations: `add` (an element -> anything), `read` (null -> the list of elements that the node has,
in any order).

Rule: every element is new. While the run lasts a node may lack any of them; at the end each has all
that were acknowledged (checkers.set_elements).

Sources: the g-set workload of Maelstrom; Shapiro et al. 2011 (convergent replicated data types).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.workloads.convergence import Growing, Options

__all__ = ["Options", "g_set"]


def g_set(options: Mapping[str, Any], _check_time_limit_s: float) -> Growing:
    """A new one, for one run."""
    return Growing("g-set", "add", options)
