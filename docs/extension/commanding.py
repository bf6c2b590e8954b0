"""What the reference says of the command and of the plugin: read off click and off the plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import click
from _pytest.fixtures import FixtureFunctionDefinition

from extension.tables import code, codes, in_short, table
from harness.cli import cli


def commands() -> str:
    """Every command with its arguments and flags."""
    context = click.Context(cli, info_name="antipaxos")
    return "\n".join(_command(context, name) for name in cli.list_commands(context))


def _command(context: click.Context, name: str) -> str:
    command = cli.get_command(context, name)
    assert command is not None
    inner = click.Context(command, info_name=name, parent=context)
    usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
    rows = [_flag(each, inner) for each in command.params if isinstance(each, click.Option)]
    text = "\n\n".join(_paragraphs(command))
    return f"## {name}\n\n```text\n{usage}\n```\n\n{text}\n\n" + table(["flag", "meaning"], rows)


def _paragraphs(command: click.Command) -> Iterator[str]:
    """Its help. What click is told to leave as it is (a line `\\b` before it) are examples."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = paragraph.splitlines()
        if lines[:1] == ["\b"]:
            yield "```text\n" + "\n".join(lines[1:]) + "\n```"
        else:
            yield " ".join(lines)


def _flag(option: click.Option, context: click.Context) -> list[str]:
    written, told = option.get_help_record(context) or (option.opts[0], "")
    return [code(written), told]


def plugin() -> str:
    """What `pip install antipaxos` adds to pytest: options, settings, markers, fixtures."""
    from harness import pytest_plugin

    recorded = Recorded()
    for hook in ("pytest_addoption", "pytest_configure"):
        if hasattr(pytest_plugin, hook):
            getattr(pytest_plugin, hook)(recorded)
    fixtures = {
        name: found
        for name, found in vars(pytest_plugin).items()
        if isinstance(found, FixtureFunctionDefinition)
    }
    parts = {
        "Options": table(["option", "meaning"], recorded.options),
        "Settings in the configuration of pytest": table(["setting", "meaning"], recorded.settings),
        "Markers": "".join(f"- {_marker(line)}\n" for line in recorded.markers),
        "Fixtures": table(
            ["fixture", "gives"],
            [[code(f"{name}"), in_short(found)] for name, found in fixtures.items()],
        ),
    }
    return "\n".join(f"## {heading}\n\n{text}" for heading, text in parts.items())


def _marker(line: str) -> str:
    signature, _, meaning = line.partition(": ")
    return f"{code(signature)}: {meaning}"


class Recorded:
    """Stands in for pytest's parser and its configuration: remembers what a plugin declares."""

    def __init__(self) -> None:
        self.options: list[list[str]] = []
        self.settings: list[list[str]] = []
        self.markers: list[str] = []

    def getgroup(self, *_: object, **__: object) -> Recorded:
        return self

    def addoption(self, *names: str, **told: object) -> None:
        self.options.append([codes(names), str(told.get("help", ""))])

    _addoption = addoption

    def addini(self, name: str, help: str = "", *_: object, **__: object) -> None:  # noqa: A002
        self.settings.append([code(name), help])

    def addinivalue_line(self, name: str, line: str) -> None:
        if name == "markers":
            self.markers.append(line)

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None
