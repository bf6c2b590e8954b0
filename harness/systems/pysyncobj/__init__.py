"""PySyncObj, a Raft in Python, as a system under test."""

from harness.systems.pysyncobj.system import PySyncObj

__all__ = ["SYSTEM"]

SYSTEM = PySyncObj()
