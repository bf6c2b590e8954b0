"""The site of the documents: it is built whole, leads nowhere dead, and needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import click
import msgspec
import pytest

from checkers.laws import LAWS
from checkers.models import MODELS
from checkers.verdict import Kind
from harness import pytest_plugin
from harness.catalogue import entries
from harness.cli import BAD_INPUT, TROUBLE, cli
from harness.clusters.ssh.options import Settings as SshSettings
from harness.places import CLUSTERS
from harness.systems import names
from harness.trial import Trial
from harness.workloads import WORKLOADS, workload
from nemesis.packages import PACKAGES
from nemesis.resolution import FAULTS
from nemesis.targets import TARGETS
from nemesis.topologies import TOPOLOGIES
from tests.harness.browser import browser, opened  # noqa: F401 - a fixture
from tests.harness.real import needs_module
from tests.pages import PAGES, ROOT, blocks, name_of

ENTRY = "docs/index.html"
# Made by Sphinx, and reached through its search.
ITS_OWN = {"genindex.html", "py-modindex.html", "search.html", "index.html"}
EXTERNAL = re.compile(r"\]\((https?:[^)\s]*)")


class Page(HTMLParser):
    """What a page asks for, where it leads, and where it can be led to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.needs: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.codes: set[str] = set()
        self._in_code = 0
        self._code = ""
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        if "src" in given:
            self.needs.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "prefetch"):
            self.needs.append(given["href"])
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        if tag == "code":
            self._in_code, self._code = 1, ""

    def handle_data(self, data: str) -> None:
        self._code += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "code" and self._in_code:
            self._in_code = 0
            self.codes.add(self._code)


class Site:
    """The built site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = {
            file.relative_to(folder).as_posix(): Page(file) for file in folder.rglob("*.html")
        }

    def targets(self, name: str) -> Iterator[tuple[str, str]]:
        """Page and anchor of each link of a page that stays within the site."""
        for link in self.pages[name].leads:
            parts = urlsplit(link)
            if not parts.scheme:
                place = (self.folder / name).parent / unquote(parts.path)
                path = place.resolve().relative_to(self.folder) if parts.path else Path(name)
                yield path.as_posix(), unquote(parts.fragment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Built once, as `make docs` does, where a warning is an error."""
    for module, package in (("sphinx", "sphinx"), ("furo", "furo"), ("myst_parser", "myst-parser")):
        needs_module(module, package)
    folder = tmp_path_factory.mktemp("site").resolve()
    flags = ("--quiet", "--fail-on-warning", "--keep-going", "--jobs", "2")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *flags, "-c", "docs", ".", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (built.returncode, built.stderr), built.stderr
    return Site(folder)


def test_every_document_is_a_page(site: Site) -> None:
    """Nothing that is written for people is left out."""
    wanted = {name_of(page).removesuffix(".md") + ".html" for page in PAGES}
    assert set() == wanted - set(site.pages)


def test_every_page_is_reached_from_the_first(site: Site) -> None:
    """By links that can be followed."""
    seen, ahead = set(), [ENTRY]
    while ahead:
        name = ahead.pop()
        if name in seen or name not in site.pages:
            continue
        seen.add(name)
        ahead += [path for path, _ in site.targets(name)]
    assert set() == set(site.pages) - seen - ITS_OWN


def test_no_link_is_dead(site: Site) -> None:
    """Each leads to a file of the site, and to a place that is in it."""
    dead = [
        f"{name}: {path}#{anchor}"
        for name in site.pages
        for path, anchor in site.targets(name)
        if not (site.folder / path).exists()
        or (anchor and path in site.pages and anchor not in site.pages[path].ids)
    ]
    assert [] == dead


def test_nothing_asks_a_network(site: Site) -> None:
    """No script, style, font or picture is somebody else's."""
    foreign = [
        f"{name}: {asked}"
        for name, page in site.pages.items()
        for asked in page.needs
        if urlsplit(asked).scheme not in ("", "data") or asked.startswith("//")
    ]
    styles = [
        style.name
        for style in site.folder.rglob("*.css")
        if re.search(r"url\([\"']?(?:https?:)?//|@import", style.read_text())
    ]
    assert ([], []) == (foreign, styles)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_elsewhere_look_like_addresses(page: Path) -> None:
    """They are not followed: there may be no network."""
    for address in EXTERNAL.findall(page.read_text()):
        assert re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/[\w./~#?=&%+-]*)?", address), address


ENTRIES = {
    "faults": FAULTS,
    "packages": PACKAGES,
    "topologies": {**TOPOLOGIES, **TARGETS},
    "workloads": WORKLOADS,
    "models": MODELS,
    "clusters": {*CLUSTERS, *SshSettings.__struct_fields__},
    "systems": names(),
    "mutants": [entry.name for entry in entries()],
    "trial": Trial.__struct_fields__,
    "pytest": [
        name
        for option in pytest_plugin.OPTIONS
        for name in (f"--antipaxos-{option}", f"antipaxos_{option.replace('-', '_')}")
    ],
    "exit-codes": [*(str(kind.exit_code) for kind in Kind), str(BAD_INPUT), str(TROUBLE)],
    "checkers": [
        *(law.name for law in LAWS),
        *(checker.name for name in WORKLOADS for checker in workload(name).checkers()),
    ],
    "run-folder": ["history.jsonl", "verdict.json", "case.json"],
    "nightly": ["budget_s", "first_seed", "retention"],
}


@pytest.mark.parametrize("page", ENTRIES)
def test_whatever_is_registered_is_in_the_reference(site: Site, page: str) -> None:
    """By its name, as code: one that is added is there, or this fails."""
    told = site.pages[f"docs/reference/{page}.html"].codes
    assert [] == [name for name in ENTRIES[page] if name not in told]


def test_faults_and_workloads_are_told_with_their_settings(site: Site) -> None:
    """Every field of every one."""
    for page, kinds in (
        ("faults", FAULTS.values()),
        ("workloads", [kind.options for kind in WORKLOADS.values()]),
    ):
        told = site.pages[f"docs/reference/{page}.html"].codes
        wanted = {f.encode_name for kind in kinds for f in msgspec.structs.fields(kind)}
        assert set() == wanted - told


def test_every_flag_of_every_command_is_in_the_reference(site: Site) -> None:
    """As `--help` has it."""
    text = "\n".join(site.pages["docs/reference/commands.html"].codes)
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in text, f"{name} {option.opts[0]}"


def test_modules_that_the_documents_import_are_in_the_reference(site: Site) -> None:
    """Whoever reads an example can look up what it uses."""
    ours = re.compile(r"^from ((?:harness|checkers|nemesis)[\w.]*) import", re.MULTILINE)
    used = {
        name for page in PAGES for text in blocks(page, "python") for name in ours.findall(text)
    }
    ids = site.pages["docs/reference/python.html"].ids
    assert used
    assert set() == {name for name in used if f"module-{name}" not in ids}


def test_a_page_opens_and_the_search_finds(site: Site, browser: object) -> None:  # noqa: F811
    """From the disk, without a server and without an error in the console."""
    for name in (ENTRY, "docs/reference/faults.html", "files/harness/machine.py.html"):
        with opened(browser, (site.folder / name).as_uri()) as watched:
            assert watched.page.locator("h1").count() == 1, name
            watched.picture(f"site-{name.replace('/', '-')}")
            assert [] == watched.errors
    with opened(browser, f"{(site.folder / 'search.html').as_uri()}?q=wilson") as watched:
        watched.page.wait_for_selector("#search-results li")
        assert "Replaying" in watched.page.inner_text("#search-results")
        assert [] == watched.errors


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of the site, by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    wanted = ("docstrings", "registries", "repository_files", "tables")
    return {name: import_module(f"extension.{name}") for name in wanted}


def test_docstrings_keep_their_words(extension: dict[str, ModuleType]) -> None:
    """What would mean something is escaped; code, lists and indented blocks are what they look."""
    lines = ["A *star*, a `name_` and it_s.", "Rules", "1. One", "   more.", "- Two.", "", "    x"]
    assert [
        r"A \*star\*, a \ ``name_``\  and it\_s. Rules",
        "",
        "1. One more.",
        "",
        "- Two.",
        "",
        "::",
        "",
        "        x",
        "",
    ] == extension["docstrings"].rendered(lines)


def test_no_cell_of_the_reference_is_empty(extension: dict[str, ModuleType]) -> None:
    """Whatever can be set, is left in a folder or ends a command is told what it means."""
    registries = extension["registries"].REGISTRIES
    rows = [
        (name, line)
        for name, made in registries.items()
        for line in made().splitlines()
        if line.startswith("|")
    ]
    assert {name for name, _ in rows} > {"commands", "faults", "nights", "run-folders", "trials"}
    assert [] == [
        row for row in rows if any(not cell.strip() for cell in row[1].strip("|").split("|"))
    ]


def test_a_struct_becomes_a_table(extension: dict[str, ModuleType]) -> None:
    """Names, types with their bounds, defaults, and what the docstring says of a field."""
    text = extension["tables"].fields(SshSettings)
    assert "| `lease_s` | `int` 3 to 3,600 | `10` | after how many seconds" in text
    assert "| `sudo` | `yes`, `no` | `no` |" in text


def test_what_is_no_text_has_no_page(extension: dict[str, ModuleType], tmp_path: Path) -> None:
    """A folder is listed without it, without hidden files and without what Python leaves."""
    for name, content in (("a.py", b"1"), ("b.bin", b"\xff\xfe"), ("__pycache__/c.py", b"2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    files = extension["repository_files"]
    assert [tmp_path / "a.py"] == files.contents(tmp_path)
    assert "../../files/x/a.py.html" == files.uri("examples/y/README", "x/a.py")
