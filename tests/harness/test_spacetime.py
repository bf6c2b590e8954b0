"""The space-time diagram: its geometry, what it marks, and its manners."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.spacetime import Focus, Moment, spacetime
from harness.report.spacetime.labels import CELLS_MAX, width, wrapped
from harness.worldlog import CLIENT
from tests.harness.pictures import WORLDS, Picture, hostile, share
from tests.harness.report_scenes import HOSTILE
from tests.harness.worlds import MS, World, busy, synod


@pytest.mark.parametrize("name", WORLDS)
def test_arrows_point_down(name: str) -> None:
    """A message arrives below where it was sent, in every world: else the order would be a lie."""
    picture = Picture(spacetime(WORLDS[name]))
    arrows = picture.arrows()
    assert len(arrows) > 5
    assert [] == [e for e in arrows if float(e.get("y1", "")) >= float(e.get("y2", ""))]


def assert_labels_apart(picture: Picture, page: float) -> None:
    boxes = sorted(picture.boxes(page), key=lambda box: box[2])
    for i, (left, right, _, bottom) in enumerate(boxes):
        assert 0 <= left < right <= page
        for other in boxes[i + 1 :]:
            if other[2] >= bottom:
                break
            assert right <= other[0] or other[1] <= left


@pytest.mark.parametrize("page", [0, 1140, 2000])
@pytest.mark.parametrize("name", WORLDS)
def test_labels_never_overlap(name: str, page: int) -> None:
    """No label reaches into another, nor over the edges, on narrow and on wide pages."""
    picture = Picture(spacetime(WORLDS[name]))
    assert len(picture.labels()) > 5
    assert_labels_apart(picture, max(page, picture.narrowest))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "lose", "receive", "says", "crash", "start", "pause", "resume"]),
        st.sampled_from([CLIENT, "n1", "n2", "n3"]),
        st.sampled_from([CLIENT, "n1", "n2", "n3"]),
        st.sampled_from([0, 0, 0, MS // 10, MS, 10**9]),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(STEPS, st.integers(1, 40), st.integers(0, 60))
def test_any_world_is_drawn_as_it_was(
    steps: list[tuple[str, str, str, int]], most: int, at: int
) -> None:
    """Whatever happens, in whatever order, repeated, late or never: arrows point down, labels stand
    apart, and what is drawn has an arrow for each arrival."""
    w = World()
    sent: list[int] = []
    for what, node, other, passing_ns in steps:
        w.now_ns += passing_ns
        if what == "send" and node != other:
            sent.append(w.send(node, other, "accepted", "13.n2 and more of it"))
        elif what == "lose" and node != other:
            w.lose(node, other, "prepare", "3.n1")
        elif what == "receive" and sent:
            w.receive(sent[passing_ns % len(sent)])
        elif what in ("says", "crash", "start", "pause", "resume") and node != CLIENT:
            w.add(node, "event" if what == "says" else what, event="promise", text="12.n1 for all")
    diagram = spacetime(w.events, Focus((Moment(at * MS),)), most=most)
    if diagram is None:
        assert [] == w.events
        return
    picture = Picture(diagram)
    arrows = picture.arrows()
    assert all(float(e.get("y1", "")) < float(e.get("y2", "")) for e in arrows)
    assert_labels_apart(picture, picture.narrowest)
    drawn = [w.events[position].what for position in diagram.positions]
    ends = len(picture.arrows("lost", "open"))
    assert drawn.count("send") <= most
    assert drawn.count("receive") + ends == len(arrows)


def test_labels_would_overlap_on_a_page_that_is_too_narrow() -> None:
    """The check above can fail: the diagram keeps a least width for a reason."""
    picture = Picture(spacetime(WORLDS["crowd"]))
    boxes = picture.boxes(picture.narrowest * 0.7)
    assert any(
        a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
    )


def test_rows_follow_the_order_of_happening() -> None:
    """The times at the left only grow, and so do the events of one node downwards."""
    picture = Picture(spacetime(WORLDS["busy"]))
    times = [float(text) for text in picture.texts("time")]
    assert len(times) > 50
    assert sorted(times) == times
    dots: dict[str, list[float]] = {}
    for circle in picture.svg.iter("circle"):
        if (circle.get("class") or "").startswith("dot"):
            dots.setdefault(circle.get("cx", ""), []).append(float(circle.get("cy", "")))
    assert 6 == len(dots)
    assert all(above < below for ys in dots.values() for above, below in pairwise(ys))


def test_what_became_of_a_message_is_told_by_more_than_colour() -> None:
    """Lost ones end in a cross, open ones in a ring, late and repeated ones have a word."""
    picture = Picture(spacetime(synod().events))

    def ends(shape: str) -> list[str | None]:
        return [arrow.get("marker-end") for arrow in picture.arrows(shape)]

    assert ["url(#spacetime-lost)"] == ends("lost")
    assert ["url(#spacetime-open)"] == ends("open")
    assert ["url(#spacetime-arrowlate)"] == ends("late")
    assert ["url(#spacetime-arrowagain)"] == ends("again")
    assert {"late", "again"} <= set(picture.labels())
    titles = [e.text for e in picture.svg.iter("title")]
    assert "prepare 1.n1 r1: n1 to n3, lost" in titles
    assert "accept 1.n1 r1 = 7: n1 to n2, after 1.000 ms, again" in titles
    assert "query r1: n1 to n2, never arrives" in titles


def test_a_lost_message_ends_close_to_whom_it_did_not_reach() -> None:
    """Between the last node before and the one it was meant for, so that this is plain."""
    (lost,) = Picture(spacetime(synod().events)).arrows("lost")
    heads = Picture(spacetime(synod().events)).heads
    at = {e.text: share(e.get("x"), 1) for e in heads.iter("text")}
    assert at["n2"] < share(lost.get("x2"), 1) < at["n3"]


def test_a_line_of_life_breaks_where_its_node_is_down_and_greys_where_it_is_paused() -> None:
    """n2 crashes and comes back, n3 is paused and goes on, n1 lives all the time."""
    picture = Picture(spacetime(synod().events))
    assert ["down", "life", "down", "life"] == [state for state, *_ in picture.life("n2")]
    assert ["down", "life", "paused", "life"] == [state for state, *_ in picture.life("n3")]
    assert ["down", "life"] == [state for state, *_ in picture.life("n1")]
    for node in ("n1", "n2", "n3"):
        pieces = picture.life(node)
        assert all(above[2] == below[1] for above, below in pairwise(pieces))


def test_a_state_that_changed_in_what_is_left_out_is_still_true_below() -> None:
    """A node that crashed where nothing is drawn is down in what follows."""
    w = World()
    for i in range(200):
        w.at(i).receive(w.send("n1", "n2", "ping1", str(i)))
        if i == 100:
            w.add("n3", "crash")
    on = Focus((Moment(0), Moment(199 * MS)))
    picture = Picture(spacetime(w.events, on, most=20))
    assert ["life", "down"] == [state for state, *_ in picture.life("n3")]


def test_silence_takes_one_line_however_long() -> None:
    """900 ms in which nothing happens are told, and take no more room than a row."""
    picture = Picture(spacetime(synod().events))
    assert ["⋮ 899.9 ms pass"] == picture.texts("gone")
    assert float(picture.svg.get("height", "")) < 700


def test_texts_of_the_system_become_no_markup() -> None:
    """A hostile world has the elements and attributes of a harmless one; no control signs."""

    def elements(evil: str) -> list[tuple[str, list[str]]]:
        picture = Picture(spacetime(hostile(evil)))
        assert all(text.isprintable() for text in picture.labels())
        return [(e.tag, sorted(e.attrib)) for e in picture.svg.iter() if e.tag != "text"]

    assert elements("harmless") == elements(HOSTILE + "\u202e\x00")


def test_names_of_nodes_become_no_markup() -> None:
    """Nodes are named by a trial, which somebody may have sent you."""
    w = World()
    w.receive(w.send(HOSTILE, "n2", "prepare", "1"))
    picture = Picture(spacetime(w.events))
    assert 2 == len([e for e in picture.heads.iter("text") if e.get("class") != "time"])
    assert {"text", "svg"} == {e.tag for e in picture.heads.iter()}


def test_it_is_told_to_those_who_do_not_see_it() -> None:
    """An image with a title and a description that its label leads to."""
    svg = Picture(spacetime(synod().events, name="mine")).svg
    assert "img" == svg.get("role")
    ids = {e.get("id"): e.text for e in svg.iter() if e.get("id")}
    told = [ids[i] for i in (svg.get("aria-labelledby") or "").split()]
    assert "Space-time diagram" == told[0]
    assert (told[1] or "").startswith(
        "10 messages between client, n1, n2, n3, from 0.000 s to 0.907 s"
    )
    assert all((i or "").startswith("mine-") for i in ids)


def test_it_has_the_colours_of_its_page() -> None:
    """Light and dark are one drawing: no colour stands in it but by its name."""
    diagram = spacetime(busy(500))
    assert diagram is not None
    painted = re.findall(r'(?:fill|stroke)="([^"]*)"', diagram.body)
    assert painted != []
    assert [] == [paint for paint in painted if paint != "none" and not paint.startswith("var(--")]


def test_the_same_log_is_the_same_drawing() -> None:
    """Byte for byte."""
    assert spacetime(busy(500)) == spacetime(busy(500))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok 7", ["ok 7"]),
        ("accept 1.n1 r1 = 7", ["accept 1.n1", "r1 = 7"]),
        ("chosen r1 = 113", ["chosen", "r1 = 113"]),
        ("x" * 30, ["x" * 12 + "…"]),
        ("", []),
        ("漢字漢字漢字漢字", ["漢字漢字漢字…"]),
    ],
)
def test_labels_are_wrapped_where_people_would(text: str, expected: list[str]) -> None:
    """A ballot stays with its message, and wide signs count twice."""
    assert expected == wrapped(text)
    assert all(width(line) <= CELLS_MAX for line in wrapped(text))
