"""How to judge, as flags: of `check` and of `report`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from harness.commands.trial_flags import pairs

_F = TypeVar("_F", bound=Callable[..., Any])


def judging_flags(format_flag: str) -> Callable[[_F], _F]:
    """The options that `asked_of` takes. `format_flag`: what the format of the file is called."""
    options = [
        click.option("--model", "model_name", help="The sequential specification to judge by."),
        click.option(
            "--model-option",
            "model_options",
            multiple=True,
            metavar="NAME=VALUE",
            help="For the model.",
        ),
        click.option(
            format_flag, "format_name", help="Of what was recorded; detected if left out."
        ),
        click.option(
            "--time-limit", "time_limit_s", type=float, metavar="SECONDS", help="For each. [60]"
        ),
        click.option("--memory-limit", metavar="SIZE", help="Of all, as in 500M or 2G."),
    ]

    def decorated(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def asked_of(
    model_options: tuple[str, ...],
    memory_limit: str | None,
    time_limit_s: float | None,
    **rest: Any,
) -> Any:
    """The flags as recheck.Asked. Raises click.UsageError and TrialError."""
    from harness.recheck import Asked, chosen_model  # costs: rule 3 of harness.cli

    if time_limit_s is not None and not time_limit_s > 0:
        raise click.UsageError(f"--time-limit {time_limit_s}: give seconds above 0")
    options = pairs(model_options, "model-option", _json_or_text)
    settled = Asked(
        model_options=options,
        memory_limit=None if memory_limit is None else _bytes(memory_limit),
        time_limit_s=time_limit_s,
        **rest,
    )
    if settled.model_name is not None:
        chosen_model(settled)  # what is wrong with it is told once, not for each history
    elif options:
        raise click.UsageError("--model-option: the options are of a model; name it with --model")
    return settled


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)I?B?", text.strip().upper())
    if found is None or not float(found[1]):
        raise click.UsageError(f"--memory-limit {text!r}: give a size such as 500M or 2G")
    return int(float(found[1]) * float(1024 ** " KMGT".index(found[2] or " ")))
