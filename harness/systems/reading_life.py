"""Reading what a system's file says of the life of a node: chores, logs, ready, leader."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from harness.contracts import Chore
from harness.systems.marked import Page
from harness.systems.specification import Life, Question

CHORES: tuple[Chore, ...] = ("install", "stop", "wipe")
LIFE = (*CHORES, "logs", "ready", "leader")
_QUESTION_TEXTS = ("python", "here", "node", "address", "ip", "port")


def read_life(
    page: Page, top: Mapping[str, yaml.Node], texts: tuple[str, ...], several: tuple[str, ...]
) -> Life:
    """`texts`, `several`: the placeholders of a node's command."""
    reader = _Reader(page)
    chores = {
        chore: reader.commands(top[chore], chore, texts, several)
        for chore in CHORES
        if chore in top
    }
    logs = page.items(top["logs"], "logs") if "logs" in top else ()
    return Life(
        chores=chores,
        logs=tuple(page.template(item, "an item of logs", texts) for item in logs),
        ready=reader.question(top.get("ready"), "ready"),
        leads=reader.question(top.get("leader"), "leader"),
    )


class _Reader:
    def __init__(self, page: Page) -> None:
        self._page = page

    def commands(
        self, node: yaml.Node, what: str, texts: tuple[str, ...], several: tuple[str, ...]
    ) -> tuple[tuple[str, ...], ...]:
        """A list of commands; a single one may be given as it is."""
        items = self._page.items(node, what)
        if isinstance(node, yaml.SequenceNode) and not items:
            self._page.wrong(node, f"{what} is empty. Give a command, or leave it out.")
        listed = [node] if any(isinstance(i, yaml.ScalarNode) for i in items) else items
        return tuple(self._words(command, what, texts, several) for command in listed)

    def _words(
        self, node: yaml.Node, what: str, texts: tuple[str, ...], several: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        words = self._page.items(node, f"a command of {what}")
        if isinstance(node, yaml.SequenceNode) and not words:
            self._page.wrong(node, f"a command of {what} is empty. Give the program.")
        return tuple(self._page.template(w, f"a word of {what}", texts, several) for w in words)

    def question(self, node: yaml.Node | None, what: str) -> Question | None:
        if node is None:
            return None
        fields = self._page.fields(node, what, optional=("command", "http"))
        if isinstance(node, yaml.MappingNode) and len(fields) != 1:
            self._page.wrong(node, f"{what} needs one of 'command' and 'http'.")
        if "command" in fields:
            return Question(command=self._words(fields["command"], what, _QUESTION_TEXTS))
        if "http" in fields:
            url = self._page.template(fields["http"], f"http of {what}", _QUESTION_TEXTS)
            if not url.startswith("http://"):
                self._page.wrong(
                    fields["http"],
                    f"http of {what} is {url!r}. Write 'http://{{address}}/...', or ask by a "
                    "command (curl, say) for any other way.",
                )
            return Question(http=url)
        return None
