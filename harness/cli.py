"""The command `antipaxos`.

Rules
1. Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage or bad input, 255 trouble of the harness
   or of the environment.
2. Every mistake of a user is a sentence on standard error, never a traceback.
3. Imports that cost are made inside the command that needs them.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from checkers.formats import FormatError
from checkers.history import HistoryError
from checkers.trace import TraceError
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.trial import Trial, TrialError, nearest
from nemesis.schedule import ScheduleError

if TYPE_CHECKING:
    pass

BAD_INPUT, TROUBLE = 254, 255


class Nearest(click.Group):
    """A group that names the nearest commands for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}. {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Nearest, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="antipaxos")
def cli() -> None:
    """Break consensus implementations on purpose, and say what happened.

    \b
    antipaxos run                          five Paxos nodes, 30 s of faults, a verdict
    antipaxos check history.edn --model cas-register
    """


_TRIAL = Trial()


@cli.command()
@click.argument("trial", type=click.Path(path_type=Path), required=False)
@click.option("--system", help="A name (see doctor) or a YAML file of your own system.")
@click.option("--workload", help="register, consensus or log.")
@click.option("--faults", help="Packages joined by '+', or a schedule.json to play again.")
@click.option("--nodes", type=int, help=f"How many nodes. [{_TRIAL.nodes}]")
@click.option("--clients", type=int, help=f"How many clients. [{_TRIAL.clients}]")
@click.option("--time-limit", "time_limit_s", type=float, metavar="SECONDS", help="Load. [30]")
@click.option("--rate", type=float, help=f"Operations a second, 0 for no limit. [{_TRIAL.rate:g}]")
@click.option("--seed", type=int, help="Everything random follows from it. [drawn]")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="For the system.")
@click.option("--workload-option", "workload_options", multiple=True, metavar="NAME=NUMBER")
@click.option("--mutant", help="A broken node of the system's catalogue (see mutants --list).")
@click.option("--operation-timeout", "operation_timeout_s", type=float, metavar="SECONDS")
@click.option("--recovery", "recovery_s", type=float, metavar="SECONDS", help="Before final reads.")
@click.option("--check-time-limit", "check_time_limit_s", type=float, metavar="SECONDS")
@click.option("--live-check", help="Judge meanwhile: off, note, or stop at a violation. [off]")
@click.option("--cluster", help="Where the nodes live. [local]")
@click.option("--name", help="Of the run's folder. [system-workload]")
@click.option("--store", type=click.Path(path_type=Path), default=Path("antipaxos-runs"))
def run(trial: Path | None, store: Path, mutant: str | None, **flags: Any) -> NoReturn:
    """Run a trial: a cluster, clients, faults; record, check, report.

    \b
    antipaxos run --workload register --faults partitions+crashes --seed 7
    antipaxos run my-trial.yaml --time-limit 60

    TRIAL is a YAML file of settings; flags override it.
    """
    from harness import run as runs
    from harness.settle import settle

    sys.exit(runs.run(settle(trial, flags_of({**flags, "mutant": mutant})), store).exit_code)


def flags_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial among the parameters of `run`; what was not given is left out."""
    flags = {k: v for k, v in given.items() if v not in (None, ()) and k not in ("mutant", "store")}
    for field, read in (("options", str), ("workload_options", _number)):
        if field in flags:
            flags[field] = _pairs(flags[field], field.replace("_", "-")[:-1], read)
    if given.get("mutant") is not None:
        flags["options"] = {**flags.get("options", {}), "mutant": given["mutant"]}
    return flags


def _pairs(texts: tuple[str, ...], flag: str, read: Callable[[str], Any]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--{flag} {text!r}: write NAME=VALUE")
        try:
            pairs[name] = read(value)
        except (ValueError, OverflowError):
            raise click.UsageError(f"--{flag} {text!r}: {value!r} is not a number") from None
    return pairs


def _number(value: str) -> float | int:
    number = float(value)
    return int(number) if number == int(number) else number


@cli.command()
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--model", "model_name", help="The sequential specification to judge by.")
@click.option("--model-option", "model_options", multiple=True, metavar="NAME=VALUE")
@click.option("--format", "format_name", help="Of the files; detected if left out.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processor cores to use. [all]")
@click.option("--time-limit", "time_limit_s", type=float, metavar="SECONDS", help="Each. [60]")
@click.option("--memory-limit", metavar="SIZE", help="Of all together, as in 500M or 2G. [none]")
@click.option("--explain", is_flag=True, help="At length: orders, steps, states.")
@click.option("--json", "as_json", is_flag=True, help="Print verdicts as JSON.")
def check(
    paths: tuple[Path, ...], jobs: int | None, *, explain: bool, as_json: bool, **asked: Any
) -> NoReturn:
    """Judge recorded histories: a run's folder or file, Jepsen's EDN and logs, key-value logs.

    \b
    antipaxos check history.edn --model cas-register
    antipaxos check antipaxos-runs/latest
    antipaxos check recordings/ more.jsonl --model register --jobs 2 --memory-limit 2G

    Several, or a folder to search, give a line each and totals; with --json one object a line.
    """
    from harness import checking
    from harness.gathering import gather

    settled = _asked(**asked)
    gathered = gather(paths)
    tell(gathered.notices, aside=True)
    cores = jobs or os.cpu_count() or 1
    show = checking.show_one if gathered.one else checking.show_many
    sys.exit(show(gathered.histories, settled, cores, explain=explain, as_json=as_json))


def _asked(
    model_options: tuple[str, ...],
    memory_limit: str | None,
    time_limit_s: float | None,
    **rest: Any,
) -> Any:
    from harness.recheck import Asked, chosen_model

    if time_limit_s is not None and not time_limit_s > 0:
        raise click.UsageError(f"--time-limit {time_limit_s}: give seconds above 0")
    options = _pairs(model_options, "model-option", _json_or_text)
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


@cli.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
def report(run_folder: Path) -> None:
    """Draw the report of a stored run again.

    \b
    antipaxos report antipaxos-runs/latest
    """
    from harness import recheck

    tell([str(recheck.redraw(run_folder))])


@cli.command()
@click.argument("run_folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option("--store", type=click.Path(path_type=Path), default=Path("antipaxos-runs"))
def heal(run_folder: Path | None, store: Path) -> None:
    """Undo what a run that was killed left behind. Without RUN: of all stored runs.

    \b
    antipaxos heal
    """
    from harness import heal as healing

    if run_folder is not None and not (run_folder / healing.LEDGER).is_file():
        raise click.UsageError(
            f"{run_folder} is not the folder of a run: it has no {healing.LEDGER}. Without a "
            "folder, all stored runs are healed."
        )
    folders = [run_folder] if run_folder else healing.stored_runs(store)
    told = healing.heal(folders)
    for folder in folders:
        pid = healing.goes_on(folder)
        if pid is not None:
            told.append(f"{folder}: its run goes on (process {pid}) and was left alone")
    tell(told or ["nothing was left to undo"])


@cli.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(*, as_json: bool) -> None:
    """Say what this machine offers and what is missing for more.

    \b
    antipaxos doctor
    """
    from harness import doctor as doctors

    findings = doctors.examine()
    tell([doctors.as_json(findings) if as_json else doctors.as_text(findings)])
    if any(f.needed and not f.found for f in findings):
        sys.exit(TROUBLE)


@cli.command()
@click.option("--list", "listing", is_flag=True, help="The catalogue of broken nodes.")
@click.option("--json", "as_json", is_flag=True)
def mutants(*, listing: bool, as_json: bool) -> None:
    """The broken references that the harness is measured by.

    \b
    antipaxos mutants --list
    antipaxos run --mutant promise-forgotten
    """
    from harness import catalogue

    if not listing:
        raise click.UsageError("say 'antipaxos mutants --list'")
    tell([catalogue.as_json() if as_json else catalogue.as_text()])


def main() -> NoReturn:
    """The entry point: turns every way of failing into its exit code and its sentence."""
    try:
        cli.main(standalone_mode=False)
        sys.exit(0)
    except click.ClickException as wrong:
        _complain(wrong.format_message(), BAD_INPUT)
    except (TrialError, HistoryError, FormatError, TraceError, ScheduleError) as wrong:
        _complain(str(wrong), BAD_INPUT)
    except EnvironmentTrouble as wrong:
        _complain(str(wrong), TROUBLE)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted", TROUBLE)
    except OSError as wrong:
        _complain(f"the machine refused: {wrong}. See 'antipaxos doctor'.", TROUBLE)
    except Exception:  # noqa: BLE001 - the last line: reported in full, with a code of its own
        traceback.print_exc()
        _complain("this is a bug of antipaxos: please report it with the lines above", TROUBLE)


def _complain(message: str, code: int) -> NoReturn:
    tell([f"antipaxos: {line}" for line in message.splitlines()], aside=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
