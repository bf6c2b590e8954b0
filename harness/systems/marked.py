"""Reading a YAML file of a known shape, so that every mistake is told at once with its line.

Rules
1. Reading goes on after a mistake: what is wrong is noted and a harmless stand-in is returned.
   Whoever reads asks for `problems` before it uses what was read.
2. A scalar is taken as it is written: `on` stays 'on' and 1.10 stays '1.10', whatever YAML makes
   of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import yaml

from harness.systems.templates import problem_of
from harness.trial import TrialError, nearest

_NULL = "tag:yaml.org,2002:null"


class Page:
    """One file under inspection. Raises TrialError if it cannot be read or is no YAML at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._wrong: list[tuple[int, str]] = []
        try:
            self.root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as trouble:
            raise TrialError([f"cannot read {path}: {trouble.strerror}."]) from trouble
        except UnicodeDecodeError as trouble:
            raise TrialError([f"{path} is not UTF-8: {trouble}."]) from trouble
        except yaml.YAMLError as trouble:
            raise TrialError([_no_yaml(path, trouble)]) from trouble

    @property
    def problems(self) -> list[str]:
        """The mistakes so far, in the order of lines."""
        return [f"{self.path}:{line}: {sentence}" for line, sentence in sorted(self._wrong)]

    def wrong(self, node: yaml.Node | None, sentence: str) -> None:
        self._wrong.append((1 if node is None else node.start_mark.line + 1, sentence))

    def mapping(self, node: yaml.Node | None, what: str) -> dict[str, yaml.Node]:
        """The entries of a mapping with any keys, in order."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what} must be a mapping of names to values, not {_kind(node)}.")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key, f"a key of {what}")
            if name in entries:
                self.wrong(key, f"{name!r} is given twice in {what}. Keep one.")
            entries[name] = value
        return entries

    def fields(
        self,
        node: yaml.Node | None,
        what: str,
        required: Collection[str] = (),
        optional: Collection[str] = (),
    ) -> dict[str, yaml.Node]:
        """The entries of a mapping with known keys; unknown and missing ones are mistakes."""
        entries = self.mapping(node, what)
        known = (*required, *optional)
        for name in [name for name in entries if name not in known]:
            value = entries.pop(name)
            self.wrong(value, f"{what} has no setting {name!r}. {nearest(name, known)}")
        if isinstance(node, yaml.MappingNode):
            for name in required:
                if name not in entries:
                    self.wrong(node, f"{what} lacks the setting {name!r}. Add it.")
        return entries

    def text(self, node: yaml.Node | None, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
            self.wrong(node, f"{what} must be a text, not {_kind(node)}.")
            return ""
        return str(node.value)

    def template(
        self,
        node: yaml.Node | None,
        what: str,
        texts: Collection[str],
        several: Collection[str] = (),
    ) -> str:
        """A text with placeholders out of `texts`, or that is one of `several`."""
        text = self.text(node, what)
        problem = problem_of(text, texts, several)
        if problem is not None:
            self.wrong(node, f"{what}: {problem}")
        return text

    def number(self, node: yaml.Node | None, what: str, low: int, high: int) -> int:
        """A whole number within bounds; the lower one stands in for a wrong one."""
        before = len(self._wrong)
        text = self.text(node, f"the number of {what}")
        if text.isdecimal() and low <= int(text) <= high:
            return int(text)
        if len(self._wrong) == before:
            self.wrong(node, f"the number of {what} is {text!r}. Give one from {low} to {high}.")
        return low

    def texts(self, node: yaml.Node | None, what: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text(item, f"an item of {what}") for item in self.items(node, what))

    def items(self, node: yaml.Node | None, what: str) -> Sequence[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, f"{what} must be a list, as in [a, b], not {_kind(node)}.")
            return ()
        return tuple(node.value)

    def choice(self, node: yaml.Node | None, what: str, valid: Collection[str]) -> str:
        """A text out of `valid`; the first of them stands in for a wrong one."""
        before = len(self._wrong)
        text = self.text(node, what)
        if len(self._wrong) == before and text not in valid:
            self.wrong(node, f"{what} is {text!r}. {nearest(text, valid)}")
        return text if text in valid else next(iter(valid))


def _kind(node: yaml.Node | None) -> str:
    if node is None or node.tag == _NULL:
        return "nothing"
    if isinstance(node, yaml.ScalarNode):
        return f"the text {node.value!r}"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _no_yaml(path: Path, trouble: yaml.YAMLError) -> str:
    if isinstance(trouble, yaml.MarkedYAMLError) and trouble.problem_mark is not None:
        return f"{path}:{trouble.problem_mark.line + 1}: this is no YAML: {trouble.problem}."
    return f"{path}: this is no YAML: {trouble}."
