"""`antipaxos report`: where reports go, and what is said to bad input."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from harness import cli, forms
from harness.contracts import EnvironmentTrouble
from harness.report import raster
from harness.trial import TrialError
from tests.harness.test_report_foreign import JEPSEN

MODEL = ("--model", "register")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In a folder of somebody's, with another one to work in."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    monkeypatch.chdir(ours)
    path = theirs / "history.edn"
    path.write_text(JEPSEN)
    return path


def report(*words: object) -> Result:
    return CliRunner().invoke(
        cli.cli, ["report", *map(str, words)], catch_exceptions=False, standalone_mode=False
    )


def test_the_page_of_others_goes_where_we_are(history: Path) -> None:
    """Never into their folder, unasked; again over itself."""
    for _ in range(2):
        result = report(history, *MODEL)
        assert "history.edn.report.html\n" == result.stdout
    assert [history] == list(history.parent.iterdir())
    assert "</html>" in Path("history.edn.report.html").read_text()


@pytest.mark.parametrize("form", ["html", "md", "json", "svg"])
def test_every_format_goes_to_the_terminal_or_to_a_file(history: Path, form: str) -> None:
    """The same content; the file may be written over by the next report."""
    shown = report(history, *MODEL, "--format", form, "--output", "-")
    for _ in range(2):
        report(history, *MODEL, "--format", form, "--output", "it")
    assert shown.stdout == Path("it").read_text()


def test_what_is_no_report_is_left_alone_unless_told(history: Path) -> None:
    """Whatever it is called."""
    Path("mine").write_text("mine")
    with pytest.raises(TrialError, match="no report of ours"):
        report(history, *MODEL, "--output", "mine")
    assert "mine" == Path("mine").read_text()
    report(history, *MODEL, "--output", "mine", "--force")
    assert forms.is_ours(Path("mine"))
    Path("history.edn.report.html").write_text("mine")
    with pytest.raises(TrialError, match="no report of ours"):
        report(history, *MODEL)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--output", "."), "is a folder"),
        (("--output", "no/such"), "there is no folder no"),
        (("--model", "registr"), "Did you mean 'register'"),
        (("--history-format", "ednn"), "Did you mean edn"),
    ],
)
def test_bad_input_is_a_sentence(history: Path, words: tuple[str, ...], sentence: str) -> None:
    """And leaves nothing behind."""
    with pytest.raises(ValueError, match=sentence):
        report(history, *MODEL, *words)
    assert [] == list(Path().iterdir())


def test_an_unknown_format_names_the_nearest(history: Path) -> None:
    """Before anything is read."""
    with pytest.raises(click.UsageError, match="Did you mean 'svg'"):
        report(history, *MODEL, "--format", "svgg")


def test_a_history_without_a_model_says_which_there_are(history: Path) -> None:
    """It does not say what its operations mean."""
    with pytest.raises(TrialError, match="--model; valid are: bank"):
        report(history)


def test_a_file_that_cannot_be_written_is_trouble(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the environment, and no draft is left."""

    def full(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EnvironmentTrouble, match="No space left"):
        report(history, *MODEL)
    assert [] == list(Path().iterdir())


def test_without_the_library_a_png_says_what_to_install(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is judged."""

    def missing() -> None:
        raise raster.NoRaster("pip install 'antipaxos[png]'")

    monkeypatch.setattr(raster, "installed", missing)
    with pytest.raises(TrialError, match=r"antipaxos\[png\]"):
        report(history, *MODEL, "--format", "png", "--output", "it.png")
