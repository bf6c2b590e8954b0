"""Finding out what a file is, and what is said of a path that holds no history."""

from pathlib import Path

import pytest

from checkers.formats import FORMATS, FormatError, read_history, write_jsonl
from checkers.history import HistoryError
from checkers.notation import parse

HISTORIES = Path(__file__).parents[3] / "shared" / "histories"

JSON = '{"index":0,"time":0,"process":0,"type":"invoke","f":"read"}\n'
EDN = "{:process 0, :type :invoke, :f :read, :value nil}\n"
LOG = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
KV = '{:process 0, :type :invoke, :f :get, :key "0", :value nil}\n'


def written(folder: Path, content: str | bytes, name: str = "recording") -> Path:
    """A file with this content; its name has no telling extension."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, format_: str | None = None) -> str:
    """What is said when `path` is refused as a file."""
    with pytest.raises(FormatError) as caught:
        read_history(path, format_)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (JSON, "jsonl"),
        ("\n  " + JSON, "jsonl"),
        ("\ufeff" + JSON, "jsonl"),
        (EDN, "edn"),
        ("[" + EDN + "]", "edn"),
        ("{\n " + EDN[1:], "edn"),
        ("^{:from :us} " + EDN, "edn"),
        ("; exported\n(#jepsen.history.Op" + EDN + ")", "edn"),
        (KV, "porcupine"),
        (KV.replace(":process", ":index 0, :time 0, :process"), "edn"),
        (LOG, "jepsen-log"),
        ("INFO  jepsen.core - Worker 0 starting\n" + LOG, "jepsen-log"),
        (LOG.removeprefix("INFO  jepsen.util - "), "jepsen-log"),
    ],
)
def test_content_decides(tmp_path: Path, content: str, format_: str) -> None:
    """The format is found by content alone, and a wrong extension does not mislead."""
    for name in ("recording", "recording.jsonl", "recording.edn", "recording.log"):
        loaded = read_history(written(tmp_path, content, name))
        assert loaded.format == format_
        assert [o.f for o in loaded.history] in (["read"], ["get"])


def test_the_extension_decides_where_content_does_not(tmp_path: Path) -> None:
    """A journal torn within its first line is still a journal: empty, with a notice."""
    loaded = read_history(written(tmp_path, "{", "history.jsonl"))

    assert len(loaded.history) == 0
    assert "torn" in loaded.notices[0]


def test_a_format_asked_for_is_not_second_guessed(tmp_path: Path) -> None:
    """A key-value history read as plain EDN is the same history under that name."""
    path = written(tmp_path, KV)

    assert read_history(path, "edn").format == "edn"
    assert read_history(path, "edn").history == read_history(path).history
    assert "line 1: got" in refusal(path, "jsonl")


@pytest.mark.parametrize(
    ("name", "near"), [("json", "jsonl"), ("EDN", "edn"), ("jepsen", "jepsen-log"), ("zzz", "edn")]
)
def test_an_unknown_format_names_the_nearest(tmp_path: Path, name: str, near: str) -> None:
    """A mistyped format gets the list, and which of it is meant."""
    said = refusal(written(tmp_path, JSON), name)

    assert f"the format {name!r}" in said
    assert near in said.split("Did you mean")[1]
    assert all(known in said for known in FORMATS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "an empty file"),
        (" \n\n", "an empty file"),
        (b"\x1f\x8b\x08\0\0\0", "bytes that are no text"),
        (b"\x89PNG\r\n\x1a\n\0\0", "begins no format known here"),
        ("<html>\n", "`<html>`, which begins no format known here"),
        ("once upon a time\n", "jsonl (one JSON object a line"),
        (EDN.encode() + b"{:process 0, :type :ok, :f :read, :value \xff}", "line 2: got the byte"),
    ],
)
def test_what_is_no_history(tmp_path: Path, content: str | bytes, said: str) -> None:
    """A file that holds no history is refused in one clear sentence that names it."""
    path = written(tmp_path, content)

    assert said in refusal(path)
    assert str(path) in refusal(path)


def test_an_empty_file_is_empty_in_every_format(tmp_path: Path) -> None:
    """Asked for by name or not, nothing recorded is nothing to judge, and never VALID."""
    for format_ in FORMATS:
        assert "an empty file" in refusal(written(tmp_path, ""), format_)


def test_a_path_where_nothing_is(tmp_path: Path) -> None:
    """A mistyped path is told from an unreadable one."""
    assert "a path where nothing is" in refusal(tmp_path / "absent")


def test_a_folder_without_a_history(tmp_path: Path) -> None:
    """A folder that is no run's says what a run's folder has."""
    assert "with history.jsonl or history.edn" in refusal(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """What the system says is passed on, here of a name too long for it."""
    assert "'File name too long' when reading it" in refusal(tmp_path / ("x" * 5000))


def test_the_folder_of_a_run(tmp_path: Path) -> None:
    """A saved run is read by its folder, and by a link to it such as `latest`."""
    history = parse("p0 |-w1-|")
    run = tmp_path / "run"
    run.mkdir()
    write_jsonl(history, run / "history.jsonl")
    latest = tmp_path / "latest"
    latest.symlink_to(run)

    assert read_history(run).history == history
    assert read_history(run).path == run / "history.jsonl"
    assert read_history(latest).history == history


def test_the_folder_of_a_jepsen_run(tmp_path: Path) -> None:
    """A folder of Jepsen's store is read by its history.edn."""
    written(tmp_path, EDN, "history.edn")

    assert read_history(tmp_path).format == "edn"


def test_an_ill_formed_history_is_told_from_an_unreadable_file(tmp_path: Path) -> None:
    """Every line can be read and the history still break a rule, which is a HistoryError."""
    path = written(tmp_path, JSON + JSON.replace('"index":0', '"index":1'))

    with pytest.raises(HistoryError, match="operation 1: process 0 invoked 'read' while"):
        read_history(path)


# The recorded histories of real systems; where there are none, one path to skip for.
RECORDED = sorted(HISTORIES.glob("*/*")) or [HISTORIES]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_histories_load(path: Path) -> None:
    """Every recorded history of a real system is read whole: each line is an operation."""
    if not path.is_file():
        pytest.skip(f"no recorded histories in {HISTORIES}")

    loaded = read_history(path)

    assert loaded.format == {"etcd-jepsen": "jepsen-log", "kv": "porcupine"}[path.parent.name]
    assert len(loaded.history) == len(path.read_bytes().splitlines())
    assert loaded.notices == [notice for notice in loaded.notices if "have no times" in notice]


def test_a_recorded_history_survives_conversion(tmp_path: Path) -> None:
    """Reading a foreign history, writing ours and reading that gives the same history."""
    path = HISTORIES / "etcd-jepsen" / "etcd_000.log"
    if not path.is_file():
        pytest.skip(f"no recorded histories in {HISTORIES}")
    history = read_history(path).history

    write_jsonl(history, tmp_path / "history.jsonl")

    assert read_history(tmp_path).history == history


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """A file of nothing but one is empty."""
    assert "got an empty file" in refusal(written(tmp_path, "\ufeff\n"))


@pytest.mark.parametrize("before", ["[", " [\n  ", "\ufeff[ "])
def test_a_json_array_is_told_from_edn(tmp_path: Path, before: str) -> None:
    """Its colons would read as keywords without a name; what to do is another thing than in EDN."""
    said = refusal(written(tmp_path, before + JSON + "]"))

    assert "got a JSON array; expected one JSON object a line" in said


def test_processes_that_go_unjudged_are_told(tmp_path: Path) -> None:
    """A client with a name is never judged, so that a VALID must not look as if it had been."""
    named = JSON.replace('"process":0', '"process":"c1"')
    line = named.replace('"index":0', '"index":1').replace("invoke", "ok")
    quiet = line.replace("c1", "nemesis")

    assert [] == read_history(written(tmp_path, JSON + quiet)).notices
    (notice,) = read_history(written(tmp_path, named + line)).notices
    assert "Not judged: what `c1` did." in notice


def test_an_error_is_shorter_than_the_file(tmp_path: Path) -> None:
    """Of a value of a megabyte the message shows the ends."""
    refused = "{:process [" + "1 " * 100_000 + "], :type :ok, :f :read}"

    assert len(refusal(written(tmp_path, refused))) < 1_000
