"""Several jobs at once, each to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from harness.contracts import EnvironmentTrouble

T = TypeVar("T")


async def together(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the jobs give, in their order. All come to their end before anything is raised: what
    still went on behind the back of a failure could overtake its undoing. Of troubles all are told,
    as one; any other exception goes first."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    troubles: list[str] = []
    given: list[T] = []
    for result in results:
        if isinstance(result, EnvironmentTrouble):
            troubles.append(str(result))
        elif isinstance(result, BaseException):
            raise result
        else:
            given.append(result)
    if troubles:
        raise EnvironmentTrouble("\n".join(dict.fromkeys(troubles)))
    return given
