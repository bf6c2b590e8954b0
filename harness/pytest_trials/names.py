"""What the plugin has to know before anything is asked of it. Imports nothing but pytest."""

from __future__ import annotations

import pytest

# By option and, with underscores, by ini setting: what it is for.
OPTIONS = {
    "seed": "of every trial; 'random' draws one for each (default: follows from the test's name)",
    "time-limit": "seconds of load of a trial (default: 10)",
    "cluster": "where nodes live (default: simulated where the system offers machines)",
    "nodes": "how many (default: 3)",
    "faults": "packages of faults joined by '+' (default: default)",
    "store": "the folder of runs (default: antipaxos-runs in the root directory)",
    "unknown": "what becomes of a test with an UNKNOWN verdict: fail, skip, warn (default: fail)",
    "shrink": "seconds in which the run of a failed test is made small (default: 0, not at all)",
}
RUNNING = pytest.StashKey[pytest.Item]()  # in a config: the test that runs
CARRIED = pytest.StashKey[object]()  # in an item: its trials; not there where it has none
