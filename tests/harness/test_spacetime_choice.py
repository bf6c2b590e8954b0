"""What of a world a space-time diagram shows: about moments and subjects, bounded, and counted."""

from __future__ import annotations

import re

import pytest

from harness.report.spacetime import Focus, Moment, spacetime
from harness.worldlog import CLIENT, WorldEvent
from tests.harness.pictures import Picture
from tests.harness.worlds import World, busy


@pytest.mark.parametrize("most", [1, 50, 400])
def test_the_maximum_is_kept_and_named(most: int) -> None:
    """So many messages, and a note that has both numbers."""
    events = busy(5_000)
    total = sum(event.what == "send" for event in events)
    picture = Picture(spacetime(events, most=most))
    drawn = len(picture.arrows()) - len(picture.arrows("again"))
    assert most == drawn
    assert [f"Of {total:,} messages {most:,} are drawn."] == picture.diagram.notes
    assert len(picture.diagram.body) < 4_000 + most * 1_500
    left_out = [re.findall(r"([\d,]+) messages? left out", t) for t in picture.texts("gone")]
    assert total - most == sum(int(n[0].replace(",", "")) for n in left_out if n)


def test_every_moment_gets_its_share() -> None:
    """Two moments far apart: both are drawn, and a line says what is left out between."""
    events = busy(4_000)
    moments = [Moment(event.time, event.node) for event in (events[500], events[3_500])]
    picture = Picture(spacetime(events, Focus(tuple(moments)), most=60))
    times = [float(text) * 1e9 for text in picture.texts("time")]
    for moment in moments:
        near = [t for t in times if abs(t - moment.time_ns) < 100_000]
        assert near != []
    assert set(moments) == set(picture.diagram.named.values())
    for anchor in picture.diagram.named:
        (group,) = [e for e in picture.svg.iter("g") if e.get("id") == anchor]
        assert "named" in [e.get("class") for e in group.iter("circle")]
    assert 3 == sum("left out" in text for text in picture.texts("gone"))


def test_what_follows_the_last_moment_is_nearly_all_left_out() -> None:
    """The violation is complete by then, and what led there has the room."""
    events = busy(4_000)
    moment = Moment(events[2_000].time, events[2_000].node)
    diagram = spacetime(events, Focus((moment,)), most=100)
    assert diagram is not None
    before = sum(events[p].what == "send" and p <= 2_000 for p in diagram.positions)
    after = sum(events[p].what == "send" and p > 2_000 for p in diagram.positions)
    assert before > 5 * after > 0


def test_only_what_bears_on_the_subjects_is_drawn() -> None:
    """Of a key: its messages. Of a slot: those that name it, or many slots. Others are counted."""
    w = World()
    for slot in range(1, 30):
        key = f"r{slot % 5}"
        w.at(slot).add("n1", "request", id=slot, f="put", key=key, value=slot)
        w.receive(w.send("n1", "n2", "accept", f"1.n1 slot {slot} = put {key} = {slot}"))
        w.receive(w.send("n2", "n1", "accepted", f"1.n1 slot {slot}"))
        w.receive(w.send("n2", "n1", "answers", "ok"))
    w.receive(w.send("n3", "n2", "prepare", "2.n3 from 4"))
    end = (Moment(10**9),)
    by_key = Picture(spacetime(w.events, Focus(end, frozenset({"r3"}))))
    accepted = [text for text in by_key.labels() if text.startswith("slot")]
    assert {3, 8, 13, 18, 23, 28} == {int(re.findall(r"\d+", text)[0]) for text in accepted}
    by_slot = Picture(spacetime(w.events, Focus(end, frozenset({"slot 7"}))))
    titles = [(e.text or "").split(":")[0] for e in by_slot.svg.iter("title")]
    assert {"accept 1.n1 slot 7 = put r2 = 7", "accepted 1.n1 slot 7", "prepare 2.n3 from 4"} < {
        *titles
    }
    assert not [t for t in titles if "slot 8" in t]
    assert [
        n for n in by_slot.diagram.notes if n.endswith("messages about other things are left out.")
    ]


def test_messages_that_say_no_more_than_that_their_sender_lives_are_counted() -> None:
    """Heartbeats would fill every diagram of a leader."""
    w = World()
    for i in range(50):
        w.at(i).receive(w.send("n1", "n2", "heartbeat", "1.n1"))
    w.receive(w.send("n1", "n2", "prepare", "2.n1"))
    picture = Picture(spacetime(w.events))
    assert 1 == len(picture.arrows())
    assert ["50 messages that say no more than 'I live' are left out."] == picture.diagram.notes


def test_of_many_nodes_the_busiest_are_drawn_in_their_order() -> None:
    """n2 stands left of n10, and those left out are counted."""
    picture = Picture(spacetime(busy(3_000, nodes=15)))
    names = [e.text for e in picture.heads.iter("text")][1:]
    assert CLIENT == names[0]
    assert 13 == len(names)
    assert names[1:] == sorted(names[1:], key=lambda name: int((name or "")[1:]))
    assert any("3 more nodes" in note for note in picture.diagram.notes)


def test_nothing_happened_nothing_is_drawn() -> None:
    """An empty log, and one of which nothing is worth a point."""
    assert spacetime([]) is None
    assert spacetime([WorldEvent(1, "n1", "timeout", name="tick")]) is None
