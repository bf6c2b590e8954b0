"""Keys and values of workloads as etcd's, which are bytes."""

from __future__ import annotations

from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode


def key_of(prefix: bytes, key: Any) -> bytes:
    """The key of a workload's object: a text as it is, anything else as JSON, none as nothing."""
    if key is None:
        return prefix
    return prefix + (key.encode() if isinstance(key, str) else encode(key))


def value_of(value: bytes) -> Any:
    return msgspec.json.decode(value)
