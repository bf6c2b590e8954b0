"""A reader who types the commands of a page, one after the other, in one directory.

    python -m tests.reader < commands.json        in the directory of the reader

Rules
1. Each command is a process of its own, as it is for a reader. It is forked from one that has
   everything imported, since there are a hundred of them and an import takes most of a second.
2. A command that does not end in LIMIT_S is killed with all that it started, and has no exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from time import monotonic

LIMIT_S = 60.0


def typed(words: list[str], out: Path, err: Path) -> int | None:
    """Its exit code; what it says goes to two files."""
    pid = os.fork()
    if pid == 0:
        _become(words, out, err)
    began = monotonic()
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    _, status = os.waitpid(pid, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if monotonic() - began >= LIMIT_S:
        return None
    return os.waitstatus_to_exitcode(status)


def _become(words: list[str], out: Path, err: Path) -> None:
    """The command, in this process; never returns."""
    code = 70
    try:
        os.setsid()
        for descriptor, file in ((1, out), (2, err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.argv = ["antipaxos", *words]
        from harness.cli import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Commands as a list of lists of words from standard input; a line of JSON for each: exit code,
    output, errors and seconds."""
    import harness.cli
    import harness.matrix
    import harness.recheck
    import harness.replay
    import harness.run
    import harness.settle
    import harness.swarm  # noqa: F401 - all of these to be there when a command is forked

    here = Path.cwd().parent
    for words in json.load(sys.stdin):
        out, err = here / "out", here / "err"
        began = monotonic()
        code = typed(words, out, err)
        took = monotonic() - began
        print(
            json.dumps(
                {
                    "code": code,
                    "out": out.read_text(),
                    "err": err.read_text(),
                    "seconds": round(took, 2),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
