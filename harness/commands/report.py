"""`antipaxos report`: the report of a stored run or of anybody's history.

Rules
1. It exits with 0 when the report is there, whatever the verdict: judging is `antipaxos check`.
2. Only the report of a run goes, unasked, where that run is stored. A file that is no report of
   ours is never written over without --force.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from harness.commands.judging_flags import asked_of, judging_flags
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.trial import TrialError, nearest

MEMORY_SHARE = 0.7  # of what is free; a machine that swaps shows no report

FORMATS = ("html", "md", "json", "svg", "png")


def _known(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if value not in FORMATS:
        raise click.UsageError(f"--format {value!r}: {nearest(value, FORMATS)}")
    return value


@click.command(name="report")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", default="html", callback=_known, help=f"One of {', '.join(FORMATS)}."
)
@click.option("--output", type=click.Path(path_type=Path), help="A file, or - for the terminal.")
@click.option("--force", is_flag=True, help="Write over a file that is no report.")
@judging_flags("--history-format")
def command(path: Path, form: str, output: Path | None, *, force: bool, **flags: Any) -> None:
    """Draw the report of a stored run again, or of anybody's history.

    \b
    antipaxos report antipaxos-runs/latest
    antipaxos report history.edn --model cas-register
    antipaxos report antipaxos-runs/latest --format md
    antipaxos report history.edn --model cas-register --format svg --output figure.svg

    The page of a run is written into its folder, that of another history into this one; the other
    formats go to the terminal, unless --output names a file.
    """
    from harness import beside, drawing, forms, recheck

    asked = _with_memory(asked_of(**flags, drawn=True))
    whose = beside.run_of(path) if asked.model_name is None else None
    _check_target(path, form, output, force=force)
    judged = recheck.check(path, asked)
    content = forms.FORMS[form](judged, drawing.subject_of(path, judged, asked))
    if output is None and form == "html":
        output = whose.report if whose is not None else _beside_us(path)
        if whose is None:
            _refuse_others(output, force=force)
    tell(judged.notices, aside=True)
    if output is None or str(output) == "-":
        if form == "png" and sys.stdout.isatty():
            raise click.UsageError("--format png is no text for a terminal: name a file (--output)")
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    _write(output, content)
    tell([str(output)])


def _with_memory(asked: Any) -> Any:
    """With a limit of what is free where none is named: the report degrades and does not die."""
    import msgspec
    import psutil

    if asked.memory_limit is not None:
        return asked
    free = int(psutil.virtual_memory().available * MEMORY_SHARE)
    return msgspec.structs.replace(asked, memory_limit=free)


def _beside_us(path: Path) -> Path:
    """In the working directory: a history's own folder is somebody's."""
    return Path(f"{path.resolve().name}.report.html")


def _check_target(path: Path, form: str, output: Path | None, *, force: bool) -> None:
    """Before anything is judged, which may take a minute."""
    from harness import beside, forms

    if form == "png":
        forms.can_draw_png()
    if output is None or str(output) == "-":
        if output is None and form == "html" and beside.run_of(path) is None:
            _refuse_others(_beside_us(path), force=force)
        return
    if output.is_dir():
        raise TrialError([f"--output {output} is a folder; name a file in it."])
    if not output.absolute().parent.is_dir():
        raise TrialError(
            [f"--output {output}: there is no folder {output.parent}. Make it, or name another."]
        )
    _refuse_others(output, force=force)


def _refuse_others(file: Path, *, force: bool) -> None:
    from harness import forms

    if not force and file.exists() and not forms.is_ours(file):
        raise TrialError(
            [
                f"{file} is there already and is no report of ours: it was left alone. Name "
                "another file with --output, or write over it with --force."
            ]
        )


def _write(file: Path, content: bytes) -> None:
    from harness import drawing

    try:
        drawing.put(file, content)
    except OSError as wrong:
        raise EnvironmentTrouble(
            f"{file} cannot be written: {wrong.strerror}. Free the disk or the name, or name "
            "another place with --output."
        ) from wrong
