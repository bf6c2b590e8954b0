"""etcd, through the JSON gateway of its API v3."""

from harness.systems.etcd.system import Etcd

__all__ = ["SYSTEM", "Etcd"]

SYSTEM = Etcd()
