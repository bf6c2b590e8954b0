"""What steps are made of, as read from a file: names, words for nodes, values and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import yaml

from harness.scenario.names import RESERVED, is_node, mistake
from harness.systems.marked import Page

NUMBER_MAX = 1e9
_NAME = re.compile(r"[a-z_][\w-]*", re.IGNORECASE)
_JSON = (dict, list, str, int, float, bool, type(None))


class Scope:
    """What is bound where reading stands: names of nodes, faults in force, operations that go on,
    and all operations that had a result."""

    def __init__(self) -> None:
        self.nodes: dict[str, None] = {}
        self.faults: dict[str, None] = {}
        self.later: dict[str, None] = {}
        self.results: dict[str, None] = {}

    def branch(self) -> Scope:
        own = Scope()
        for kind, names in vars(self).items():
            setattr(own, kind, dict(names))
        return own

    def join(self, branches: Sequence[Scope]) -> None:
        """What holds when all branches have ended: what they bound, without what one of them let
        go."""
        for kind, before in list(vars(self).items()):
            own = [vars(branch)[kind] for branch in branches]
            gone = {name for name in before if any(name not in names for names in own)}
            merged = {name: None for names in (before, *own) for name in names if name not in gone}
            setattr(self, kind, merged)


class Terms:
    """`nodes`: those that there are, empty where nobody knows."""

    def __init__(self, page: Page, nodes: Sequence[str]) -> None:
        self._page, self._nodes = page, nodes

    def expression(self, node: yaml.Node | None, what: str, scope: Scope, default: str) -> str:
        """Words for nodes."""
        if node is None:
            return default
        text = self._page.text(node, what)
        self.who(node, text, what, scope)
        return text

    def who(self, node: yaml.Node, expression: str, what: str, scope: Scope) -> None:
        wrong = mistake(expression, scope.nodes, self._nodes)
        if wrong:
            self._page.wrong(node, f"{what} is {expression!r}: {wrong.rstrip('.')}.")

    def bound(self, node: yaml.Node | None, scope: Scope) -> str:
        """A name for a node, bound from here on; '' where there is none."""
        if node is None:
            return ""
        name = self._page.text(node, "as")
        self.bind(name, node, scope)
        return name

    def bind(self, name: str, node: yaml.Node, scope: Scope) -> None:
        if name in RESERVED or is_node(name) or name in self._nodes:
            self._page.wrong(node, f"{name!r} means something already. Choose another name.")
        elif not _NAME.fullmatch(name):
            self._page.wrong(node, f"{name!r} is no name. Give a letter, then letters and digits.")
        scope.nodes[name] = None

    def name(self, node: yaml.Node, what: str) -> str:
        """A name for a fault or an operation."""
        name = self._page.text(node, what)
        if not _NAME.fullmatch(name) or name in ("all", "invalid"):
            self._page.wrong(
                node, f"{what} is {name!r}. Give a letter, then letters and digits, not 'all'."
            )
        return name

    def value(self, node: yaml.Node | None) -> Any:
        """Any JSON value; None where there is no node."""
        if node is None:
            return None
        try:
            value = yaml.SafeLoader("").construct_object(node, deep=True)
        except (yaml.constructor.ConstructorError, ValueError) as wrong:
            self._page.wrong(node, f"this is no value: {getattr(wrong, 'problem', wrong)}.")
            return None
        if not _plain(value):
            self._page.wrong(node, f"{value!r} is no JSON value. Put it in quotes for a text.")
            return None
        return value

    def number(self, node: yaml.Node, what: str, least: float) -> float:
        """`least` stands in for a wrong one."""
        text = self._page.text(node, what)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= NUMBER_MAX:
            expected = f"Give a number from {least:g} to {NUMBER_MAX:g}."
            self._page.wrong(node, f"{what} is {text!r}. {expected}")
            return least
        return number

    def truth(self, node: yaml.Node, what: str) -> bool:
        return self._page.choice(node, what, ("false", "true")) == "true"


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _plain(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return isinstance(value, _JSON)
