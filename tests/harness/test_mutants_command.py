"""The matrix of mutants: who is hunted, what counts as found, what the unbroken system shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness import catalogue, cli, matrix, swarm
from harness.cases import Case
from harness.catalogue import Entry
from harness.fingerprint import Fingerprint
from harness.matrix import Cell, Hunt, Hunted, Small, Spell, Spent
from harness.search.schedulers import SCHEDULERS
from harness.settle import settle
from harness.swarm import Found
from harness.trial import Trial

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
Antipaxos = Callable[..., tuple[int, str, str]]
QUICK = ("--runs", "3", "--repeats", "1", "--reference-runs", "0", "--no-shrink", "--jobs", "1")


@pytest.fixture
def antipaxos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Antipaxos:
    """Runs `antipaxos mutants`; exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["antipaxos", "mutants", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code if isinstance(left.value.code, int) else 0, out, err

    return call


def mutant(name: str = "half", **fields: Any) -> Entry:
    return Entry(
        **{
            "system": "paxos",
            "name": name,
            "law": "T13: quorums overlap",
            "story": "Two halves <choose>.",
            "caught_by": ("quorum", "linearizable"),
            "workload": "register",
            "area": "quorums",
            **fields,
        }
    )


def found(*by: str, seed: int = 7) -> Found:
    case = Case(trial=Trial(cluster="simulated", seed=seed))
    return Found(seed, case, Fingerprint(by[0], "", tuple(sorted(by))), "It is broken.", 1, 1, 0.1)


def hunted(runs: int, *by: str, of: Entry | None = None, scheduler: str = "swarm") -> Hunted:
    """A hunt that ended after so many runs, in vain if nobody said INVALID."""
    asked = Hunt(mutant=of or mutant(), scheduler=scheduler, first=1)
    return Hunted(hunt=asked, runs=runs, cpu_s=runs / 10, found=found(*by) if by else None)


# --- what is asked for ---


def test_the_list_tells_area_and_kind(antipaxos: Antipaxos) -> None:
    """At least thirty mutants, some of them of liveness, each with all that a reader needs."""
    code, out, _ = antipaxos("--list", "--json")
    rows = json.loads(out)
    assert 0 == code
    assert len(rows) >= 30
    assert {"safety", "liveness"} == {row["kind"] for row in rows}
    assert all(row["law"] and row["story"] and row["caught_by"] and row["area"] for row in rows)
    _, text, _ = antipaxos("--list")
    assert all(row["name"] in text for row in rows)


def test_names_areas_and_kinds_choose(antipaxos: Antipaxos) -> None:
    """Together they narrow the choice down."""

    def names(*words: str) -> set[str]:
        return {row["name"] for row in json.loads(antipaxos("--list", "--json", *words)[1])}

    assert {"half-quorum", "shared-ballots"} == names("half-quorum", "--mutant", "shared-ballots")
    assert "half-quorum" in names("--area", "quorums")
    assert {"half-quorum"} == names("--area", "quorums", "half-quorum", "--system", "paxos")
    assert not names("--kind", "safety") & names("--kind", "liveness")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("half-quorun",), "no mutant 'half-quorun'. Did you mean 'half-quorum'"),
        (("--mutant", "shared-balots"), "'shared-ballots'"),
        (("--area", "quorum"), "no area 'quorum'. Did you mean 'quorums'"),
        (("--kind", "safe"), "safety"),
        (("--system", "paxo"), "no system 'paxo'. Did you mean 'paxos'"),
        (("--scheduler", "swam"), "no scheduler 'swam'. Did you mean 'swarm'"),
        (("half-quorum", "--area", "ballots"), "no area 'ballots'. Valid are: quorums"),
        (("--repeats", "0"), "--repeats"),
        (("--budget", "0"), "--budget"),
        (("--html", "nowhere/m.html"), "--html nowhere/m.html: there is no folder nowhere"),
    ],
    ids=" ".join,
)
def test_a_bad_name_is_a_sentence_and_254(
    antipaxos: Antipaxos, words: tuple[str, ...], says: str
) -> None:
    """With the nearest valid one."""
    code, out, err = antipaxos(*words)
    assert (254, "") == (code, out)
    assert says in err


# --- hunting ---


def test_a_mutant_is_found_and_the_unbroken_system_is_valid(
    antipaxos: Antipaxos, tmp_path: Path
) -> None:
    """Exit code 0, a line with who said so, the law that the catalogue names first; a page."""
    words = ("shared-ballots", "--runs", "20", "--repeats", "1", "--scheduler", "swarm")
    page = tmp_path / "m.html"
    shrink = ("--shrink", "0.1", "--jobs", "1", "--html", str(page))
    code, out, _ = antipaxos(*words, *shrink, "--reference-runs", "25")
    assert 0 == code
    assert re.search(r"shared-ballots +ballots +safety +swarm +1/1 .*→.* ballot-unique", out)
    assert "every mutant was found: 1 of 1" in out
    assert re.search(r"the unbroken system is VALID: [1-9]\d* of \d+ runs valid", out)
    assert "shared-ballots" in page.read_text()


def test_processes_find_what_one_finds(antipaxos: Antipaxos) -> None:
    """Runs and seeds of a hunt follow from its mutant, scheduler and first seed."""

    def came(jobs: str) -> list[Any]:
        hunters = ("--scheduler", "swarm", "--scheduler", "uniform")
        words = ("shared-ballots", "forgets-rounds", *QUICK[:-1], jobs, *hunters, "--json")
        rows = json.loads(antipaxos(*words)[1])["mutants"]
        kept = ("first", "found", "runs", "seed", "seen_by")
        return [
            [r["mutant"], r["scheduler"], [h[k] for k in kept for h in r["hunts"]]] for r in rows
        ]

    assert came("1") == came("2")


def test_a_missed_mutant_is_named_and_1(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unbroken system, passed off as a mutant, breaks nothing."""
    monkeypatch.setattr(Entry, "settings", lambda *_, **__: {"workload": "consensus"})
    code, out, _ = antipaxos("half-quorum", *QUICK, "--scheduler", "swarm")
    assert 1 == code
    assert "1 of 1 mutants missed in 3 runs: half-quorum" in out
    assert re.search(r"swarm +0/1 +> 3 ", out)


def test_an_alarm_about_the_unbroken_system_is_1(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says INVALID to everything finds every mutant."""
    broken = {"workload": "consensus", "options": {"mutant": "shared-ballots"}}
    monkeypatch.setattr(Entry, "settings", lambda *_, **__: broken)
    words = ("half-quorum", *QUICK, "--scheduler", "swarm")
    code, out, _ = antipaxos(*words, "--runs", "20", "--reference-runs", "1")
    assert 1 == code
    assert "every mutant was found" in out
    assert re.search(r"alarm: seed \d+, workload consensus: ", out)
    assert "the unbroken system is not VALID" in out


def test_a_checker_that_the_catalogue_does_not_name_finds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A false alarm would find every mutant in the same run: the hunt goes on, and it is told."""
    runs = [found("p1", seed=1), found("p2c", "quorum", seed=2), found("quorum", seed=3)]
    fake = SimpleNamespace(runs=lambda *_: iter(runs), campaign=1)
    monkeypatch.setitem(SCHEDULERS, "fake", fake)  # type: ignore[misc]
    came = matrix.hunt(Hunt(mutant=mutant("half-quorum"), scheduler="fake", first=1, runs=9))
    assert came.found is runs[1]
    assert (2, "seed 1: p1: It is broken.") == (came.runs, came.stray)
    vain = matrix.hunt(Hunt(mutant=mutant("half-quorum"), scheduler="fake", first=1, runs=1))
    assert vain.found is None


def test_a_lost_process_is_no_find(antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends without an answer is told, and found nothing."""
    monkeypatch.setattr(matrix, "hunt", lambda asked: matrix.lost_hunt(asked, -9))
    code, out, _ = antipaxos("half-quorum", *QUICK)
    assert 1 == code
    assert "trouble: half-quorum, uniform: its process ended with code -9" in out


# --- what it comes to ---


@pytest.mark.parametrize(
    ("hunts", "typical"),
    [
        ([hunted(5, "quorum"), hunted(1, "quorum"), hunted(3, "quorum")], 3),
        ([hunted(5, "quorum"), hunted(9), hunted(40, "quorum")], 40),
        ([hunted(9), hunted(5, "quorum")], 5),
        ([hunted(9), hunted(7), hunted(1, "quorum")], 7),
    ],
)
def test_a_hunt_in_vain_counts_as_the_longest(hunts: Sequence[Hunted], typical: int) -> None:
    """The median over first seeds never gets better by missing."""
    assert typical == Cell(hunts=tuple(hunts)).typical.runs


def test_the_named_come_first(antipaxos: Antipaxos) -> None:  # noqa: ARG001
    """Those of the catalogue in its order, then laws, then other checkers."""
    said = matrix.seen_by(mutant(), found("agreement", "p2c", "linearizable", "quorum"))
    assert ("quorum", "linearizable", "p2c", "agreement") == said
    cell = Cell(hunts=(hunted(1, "p2c", "quorum"), hunted(1, "p2c", "linearizable")))
    assert {"quorum": 1, "linearizable": 1, "p2c": 2} == cell.said
    assert ["quorum", "linearizable", "p2c"] == list(cell.said)


def test_a_failure_is_made_small_by_the_law_that_the_catalogue_names() -> None:
    """Not by whatever else broke with it; and there must be one."""
    cell = Cell(hunts=(hunted(4, "p2c", "linearizable"), hunted(9)))
    asked = matrix.shrink_of(cell, 3.0)
    assert asked is not None
    assert ("linearizable", 3.0) == (asked.law, asked.limit_s)
    assert matrix.shrink_of(Cell(hunts=(hunted(9),)), 3.0) is None


def test_what_does_not_fail_stays_as_it_is() -> None:
    """A case that holds leaves a gap in the table and no traceback."""
    case = swarm.draw(Trial(), (), 1)
    assert matrix.make_small(matrix.Shrink(case, "quorum", 1.0)) is None


def test_the_unbroken_system_goes_where_mutants_were_hunted() -> None:
    """Every workload with every set of options, by every scheduler, no seed of one twice."""
    mutants = [
        mutant(),
        mutant("other"),
        mutant("cut", options={"snapshot_slots": "60"}),
        mutant("decree", workload="consensus"),
    ]
    found = matrix.spells(mutants, ("swarm", "guided"), 5_000, first=3)
    assert 5_000 == sum(spell.runs for spell in found)

    def home(spell: Spell) -> tuple[str, str, str]:
        return spell.mutant.workload, str(spell.mutant.options), spell.scheduler

    homes = {home(spell) for spell in found}
    assert 6 == len(homes)
    for one in homes:
        seeds = [n for s in found if home(s) == one for n in range(s.first, s.first + s.runs)]
        assert len(seeds) == len(set(seeds))
        assert 3 == min(seeds)
    assert all("mutant" not in s.mutant.settings(broken=False)["options"] for s in found)
    assert [] == matrix.spells(mutants, ("swarm",), 0, first=1)
    assert [1] == [spell.runs for spell in matrix.spells(mutants, ("guided",), 1, first=1)]


def test_spells_add_up() -> None:
    """Of all kinds of outcome none is lost."""
    one = Spent(valid=2, idle=1, unknown=("a",), alarms=(found("p1"),), cpu_s=1.0)
    both = one.plus(Spent(valid=3, troubled=("b",), cpu_s=0.5))
    assert (9, 5, 1.5) == (both.runs, both.valid, both.cpu_s)
    assert (("a",), ("b",), 1) == (both.unknown, both.troubled, len(both.alarms))


# --- catalogues ---


def test_other_systems_bring_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, law, story, caught_by and workload are enough; the rest has defaults."""
    bare = SimpleNamespace(name="m", law="l", story="s", caught_by=["quorum"], workload="log")
    whole = SimpleNamespace(
        **vars(bare) | {"kind": "liveness", "area": "quorums", "options": {"sync": "off"}}
    )
    entry = SimpleNamespace(name="toy", load=lambda: (bare, whole))
    monkeypatch.setattr(catalogue, "entry_points", lambda **_: [entry])
    first, second = catalogue.entries()
    assert ("toy", ("quorum",), "safety", "") == (
        first.system,
        first.caught_by,
        first.kind,
        first.area,
    )
    assert {"options": {"mutant": "m"}} == {"options": first.settings()["options"]}
    assert ("liveness", {"sync": "off", "mutant": "m"}) == (
        second.kind,
        second.settings()["options"],
    )


def test_no_mutants_at_all_is_said(antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place where to read on."""
    monkeypatch.setattr(catalogue, "entry_points", lambda **_: [])
    code, _, err = antipaxos()
    assert 254 == code
    assert "docs/mutants.md" in err


def test_a_mutants_options_are_defaults_below_the_users() -> None:
    """A mutant of snapshots is run with snapshots, unless the user says how many."""
    (needy,) = (m for m in catalogue.entries() if m.name == "snapshot-lags")
    asked = {"options": {"mutant": needy.name}}
    assert {**needy.options, "mutant": needy.name} == settle(None, asked).options
    own = {"options": {"mutant": needy.name, "snapshot_slots": "500"}}
    assert "500" == settle(None, own).options["snapshot_slots"]
    assert {} == settle(None, {}).options


def test_every_mutant_can_be_simulated() -> None:
    """The catalogue names workloads and options that its system has."""
    of_home = {(m.workload, *sorted(m.options.items())): m for m in catalogue.entries()}
    assert {"register", "consensus"} <= {workload for workload, *_ in of_home}
    for entry in of_home.values():
        base, fixed = swarm.base_of(None, entry.settings())
        assert entry.workload == base.workload
        assert {"workload", "options"} <= fixed


def test_the_page_has_the_catalogue_as_it_is() -> None:
    """Its tables are what the code prints."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == catalogue.rewritten(page, catalogue.entries()), (
        "run: python -m harness.catalogue docs/mutants.md"
    )


def test_a_page_without_a_place_for_the_catalogue_is_refused() -> None:
    """Else it would silently lose its tables."""
    with pytest.raises(ValueError, match="catalogue"):
        catalogue.rewritten("# Mutants\n", catalogue.entries())


class _Tags(HTMLParser):
    """The texts of a page, and whatever it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def test_the_page_is_whole_and_escaped() -> None:
    """One file, no request, nothing of a catalogue becomes markup."""
    from harness.commands import mutants_told as told

    evil = mutant("<script>alert(1)</script>", law="<b>")
    cells = [
        Cell(hunts=(hunted(3, "quorum", of=evil, scheduler=name),), shrunk=Small("quorum", 90, 9))
        for name in ("uniform", "swarm")
    ]
    came = told.Outcome(cells=cells, unbroken=Spent(valid=30), schedulers=("uniform", "swarm"))
    page = told.drawing.render(told.page(came, "antipaxos mutants", {"cores": "<2>"}))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    tags = _Tags()
    tags.feed(page)
    assert ([], []) == (tags.fetched, tags.open)
    assert page.count("90 → 9") == 2
    assert "The unbroken system is VALID: 30 of 30 runs valid, 5.0 times" in page


def test_the_outcome_for_programs_can_be_read() -> None:
    """Every hunt, what it cost, and the case of an alarm."""
    from harness.commands import mutants_told as told

    cells = [Cell(hunts=(hunted(3, "quorum"), hunted(8)))]
    alarm = found("p1", seed=11)
    came = told.Outcome(cells=cells, unbroken=Spent(alarms=(alarm,)), schedulers=("swarm",))
    told_ = json.loads(told.as_json(came))
    assert [True, False] == [h["found"] for h in told_["mutants"][0]["hunts"]]
    assert 1 == came.exit_code
    again = msgspec.convert(told_["unbroken"]["invalid"][0]["case"], Case)
    assert alarm.case == again


def test_every_scheduler_is_offered() -> None:
    """The matrix is by scheduler: those of the search, none of its own."""
    assert {"uniform", "swarm", "depth", "guided"} <= set(SCHEDULERS)
