"""The command `antipaxos`.

Rules
1. Exit codes: 0 valid, 1 invalid, 2 unknown, 254 bad usage or bad input, 255 trouble of the harness
   or of the environment.
2. Every mistake of a user is a sentence on standard error, never a traceback.
3. Imports that cost are made inside the command that needs them.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from checkers.formats import FormatError
from checkers.history import HistoryError
from checkers.trace import TraceError
from harness.commands.judging_flags import asked_of, judging_flags
from harness.commands.trial_flags import flags_of, trial_flags
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.trial import TrialError, nearest
from nemesis.schedule import ScheduleError

BAD_INPUT, TROUBLE = 254, 255


# Commands in files of their own, imported when they are called: module, and what they say in short.
COMMANDS = {
    "explore": "explore",
    "mutants": "mutants",
    "nightly": "nightly",
    "replay": "replay",
    "report": "report",
    "scenario": "scenario",
    "serve": "serve",
    "shrink": "shrink",
    "simulate": "simulate",
}


class Nearest(click.Group):
    """A group that finds commands in harness.commands, and names the nearest for an unknown one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        found: click.Command = import_module(f"harness.commands.{module}").command
        return found

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


@cli.command()
@click.argument("trial", type=click.Path(path_type=Path), required=False)
@trial_flags
@click.option("--scenario", help="The file of one, in place of faults (see scenario).")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("antipaxos-runs"),
    help="The folder of runs.",
)
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


@cli.command()
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@judging_flags("--format")
@click.option("--jobs", type=click.IntRange(min=1), help="Processor cores to use. [all]")
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

    settled = asked_of(**asked)
    gathered = gather(paths)
    tell(gathered.notices, aside=True)
    cores = jobs or os.cpu_count() or 1
    show = checking.show_one if gathered.one else checking.show_many
    sys.exit(show(gathered.histories, settled, cores, explain=explain, as_json=as_json))


@cli.command()
@click.argument("run_folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("antipaxos-runs"),
    help="The folder of runs.",
)
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
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
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
