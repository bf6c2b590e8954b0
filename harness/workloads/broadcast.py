"""Workload broadcast: every message reaches every node in the end.

Operations: `broadcast` (a message -> anything), `read` (null -> the list of messages that the node
has seen, in any order).

Rule: every message is new. While the run lasts a node may lack any of them, and may have none that
nobody sent; at the end each has all that were acknowledged (checkers.set_elements).

Sources: the broadcast workload of Maelstrom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.workloads.convergence import Growing, Options

__all__ = ["Options", "broadcast"]


def broadcast(options: Mapping[str, Any], _check_time_limit_s: float) -> Growing:
    """A new one, for one run."""
    return Growing("broadcast", "broadcast", options)
