"""The pages that are read by people, and the commands on them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
# A line of its own, in a block; what stands before the command is a prompt or a path.
LINE = re.compile(r"^\s*(?:[$>] |\.venv/bin/)?antipaxos ((?:.*\\\n)*.*)$", re.MULTILINE)
# Within a sentence.
WITHIN = re.compile(r"`antipaxos ([a-z]+(?: [^`\n]*)?)`")
# What stands for something of the reader's.
OPEN = re.compile(r"\b(?:NAME|FILE|RUN|SECONDS|MUTANT|VALUE)\b|…|\.\.\.")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


class Shown(NamedTuple):
    """A command of a page, without the name of the program, and what the page says it prints."""

    words: list[str]
    output: list[str]


def shown(page: Path) -> Iterator[Shown]:
    """The commands of a page that a reader would copy."""
    text = page.read_text()
    for found in LINE.finditer(text):
        line = found[1].replace("\\\n", " ")
        if not OPEN.search(line):
            yield Shown(shlex.split(line, comments=True), _below(text, found))


def _below(text: str, found: re.Match[str]) -> list[str]:
    """The lines below a command that has a prompt, up to the next one or the end of the block."""
    if not found[0].lstrip().startswith("$ "):
        return []
    below = re.split(r"^(?:```|\$ )", text[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    return [line for line in below.splitlines() if line.strip() not in ("", "...")]


def lines(page: Path) -> Iterator[list[str]]:
    """The words of the commands of a page."""
    for each in shown(page):
        yield each.words


def blocks(page: Path, kind: str) -> list[str]:
    """What stands in the blocks of code of a kind."""
    return [text for _, found, text in BLOCK.findall(page.read_text()) if found == kind]
