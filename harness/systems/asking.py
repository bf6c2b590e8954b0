"""Asking about a node from outside, as its system's file says: by a command, or over HTTP.

Rule: whatever goes wrong is a no, but a command that cannot be started: that no waiting will mend.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
from collections.abc import Mapping
from urllib.parse import urlsplit

from harness.contracts import EnvironmentTrouble
from harness.lifeline import dies_with_us
from harness.systems.specification import Question
from harness.systems.templates import fill, fill_all

READY_LIMIT_S = 10.0
LEADS_LIMIT_S = 0.8  # of one node: less than all of them together may take
_OK = range(200, 300)


async def says_yes(question: Question, texts: Mapping[str, str], what: str, limit_s: float) -> bool:
    """`texts`: of the placeholders, `node` among them. Raises EnvironmentTrouble if the command
    cannot be started."""
    if question.command:
        argv = fill_all(question.command, texts, {})
        try:
            return await _succeeds(argv, limit_s)
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"node {texts['node']}: the command that asks for its {what}, "
                f"{' '.join(argv)!r}, cannot start: {wrong}. Correct it in the system's file."
            ) from wrong
    return await asyncio.to_thread(_answers, fill(question.http, texts), limit_s)


async def _succeeds(argv: list[str], limit_s: float) -> bool:
    """Raises OSError if there is no such program."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=dies_with_us(),
    )
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _answers(url: str, limit_s: float) -> bool:
    """On a thread. The connection is closed whatever comes."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        connection = http.client.HTTPConnection(parts.netloc, timeout=limit_s)
        with contextlib.closing(connection):
            connection.request("GET", target)
            return connection.getresponse().status in _OK
    except (OSError, http.client.HTTPException):
        return False
