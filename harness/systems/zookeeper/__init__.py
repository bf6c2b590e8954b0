"""ZooKeeper as a system under test."""

from harness.systems.zookeeper.system import ZooKeeper

__all__ = ["SYSTEM"]

SYSTEM = ZooKeeper()
