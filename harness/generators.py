"""Pure generators of operations (being written)."""

from typing import Any

Generator = Any
