"""Asking members something outside of any operation: is it ready, who leads, what does it hold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from harness.contracts import Address
from harness.systems.etcd import wire
from harness.systems.etcd.http import Connection, ProtocolError
from harness.systems.etcd.wire import Refused, Status

AnyAnswer = TypeVar("AnyAnswer")


async def ask(
    address: Address, path: str, request: Any, answer: type[AnyAnswer], timeout_s: float
) -> AnyAnswer:
    """One call on a connection of its own. Raises OSError, Refused, ProtocolError."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    connection = await Connection.open(address, deadline)
    try:
        return await wire.call(connection, path, request, answer, deadline)
    finally:
        connection.close()


async def try_ask(
    address: Address, path: str, request: Any, answer: type[AnyAnswer], timeout_s: float
) -> AnyAnswer | None:
    """None where there is no answer, or an error."""
    try:
        return await ask(address, path, request, answer, timeout_s)
    except (OSError, Refused, ProtocolError):
        return None


async def statuses(addresses: Mapping[str, Address], timeout_s: float) -> dict[str, Status]:
    """Of those that answer, each asked by itself and all at once."""
    path = "/v3/maintenance/status"
    asked = (try_ask(address, path, {}, Status, timeout_s) for address in addresses.values())
    found = await asyncio.gather(*asked)
    return {
        node: status for node, status in zip(addresses, found, strict=True) if status is not None
    }
