"""The manual shows what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nemesis.faults import CLIENT
from nemesis.pictures import block, drawn, picture, rewritten
from nemesis.resolution import FAULTS
from nemesis.schedule import decode
from nemesis.topologies import TOPOLOGIES

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_is_what_the_code_prints() -> None:
    """Every picture and table of docs/faults.md equals the output of the code."""
    page = PAGE.read_text()
    assert page == rewritten(page), "run: python -m nemesis.pictures docs/faults.md"


def test_the_page_draws_every_topology_for_three_four_and_five_nodes() -> None:
    """No topology is missing, and each is drawn from the code three times."""
    page = PAGE.read_text()
    for name in TOPOLOGIES:
        assert f"### `{name}`" in page
        if name != "explicit":
            assert drawn(name) in page
            assert drawn(name).count("from") == 3
            assert "x" in drawn(name)


def test_the_page_names_every_kind_of_fault() -> None:
    """The table of kinds is written by hand: no kind may be forgotten."""
    page = PAGE.read_text()
    assert [kind for kind in FAULTS if f"\n| `{kind}` |" not in page] == []


def test_the_schedule_on_the_page_can_be_played() -> None:
    """What a reader copies works."""
    (example,) = re.findall(r"```json\n(\{\"duration_s\".*?)```", PAGE.read_text(), re.DOTALL)
    assert len(decode(example.encode()).faults()) == 3


def test_a_picture_is_a_matrix_of_who_hears_whom() -> None:
    """A row sends, a column receives; clients appear where they are cut."""
    assert picture([("n1", "n2")], ("n1", "n2")) == (
        "from  to n1 n2\n"
        "n1        -  x\n"
        "n2        .  -"
    )  # fmt: skip
    assert picture([(CLIENT, "n1")], ("n1",)) == (
        "from    to n1 client\n"
        "n1          -      .\n"
        "client      x      -"
    )  # fmt: skip


def test_an_unknown_block_is_an_error() -> None:
    """A mistyped mark would otherwise stay as it is for ever."""
    with pytest.raises(ValueError, match="no generated block 'topologys'"):
        block("topologys")
