"""The systems under test: how they are found, started and spoken to."""

from harness.systems.bare import offers
from harness.systems.registry import names, system

__all__ = ["names", "offers", "system"]
