"""Scenes: the situations that packages are made of, each with the weakness it looks for.

Rules
1. A scene that is meant to depose a leader lasts longer than elections do: DEPOSED_S at least.
2. A scene that leaves no majority is short, and the calm after it long enough for a leader to be
   found again; the other scenes leave a majority that can serve, so a run always has progress.
3. Whatever a scene starts it stops: acts end within it.

Sources: Lamport 1998 and 2001 for the rules whose breaking the stories name; that stale reads need
a leader which stalls or is cut off while its clients are not is known from etcd.
"""

from __future__ import annotations

from nemesis.faults import Duplicate, Kill, Lose, Partition, Pause, Reorder, Slow, Throttle
from nemesis.plans import Act, Range, Scene, flap, in_turn

DEPOSED_S = 1.8  # by then a cut-off leader has a successor
LONG: Range = (2.4, 3.4)  # depose, and let the deposed one do harm
STORY: Range = (3.4, 4.4)  # two faults, one after the other, the first of them long
SHORT: Range = (0.8, 1.5)  # nobody can serve
BRIEF_CALM: Range = (0.5, 1.0)
LONG_CALM: Range = (1.5, 2.2)  # time for an election and for work

LEADER_CUT_OFF = Scene(
    name="leader cut off",
    story="The leader loses its peers but keeps its clients: it must not answer from memory "
    "(stale reads), and others must take over.",
    acts=(Act(Partition(topology="leader-only")),),
    length_s=LONG,
    calm_s=BRIEF_CALM,
)
LEADER_IN_MINORITY = Scene(
    name="leader in a minority",
    story="The leader is left with one node less than a majority: whoever takes that for a "
    "quorum, or counts a vote twice, chooses on both sides.",
    acts=(Act(Partition(topology="split", target="leaders-minority")),),
    length_s=LONG,
    calm_s=BRIEF_CALM,
)
SUCCESSION = Scene(
    name="succession",
    story="A minority keeps proposals of the old leader while the majority chooses others; then "
    "the partition heals as the new leader dies. The third leader finds old and new "
    "proposals and must take those of the highest ballot.",
    acts=(
        Act(Partition(topology="split", target="leaders-minority"), 0.0, 0.64),
        Act(Kill(target="connected-leaders"), 0.62, 1.0),
    ),
    length_s=STORY,
    calm_s=(0.8, 1.3),
)
BLACKOUT = Scene(
    name="blackout",
    story="All nodes die at once: only what was on disk before it was answered survives.",
    acts=(Act(Kill(target="all")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
MAJORITY_LOST = Scene(
    name="majority lost",
    story="A majority dies, its leader too: chosen values live on only in what the dead wrote "
    "down, and the survivors may not have seen them.",
    acts=(Act(Kill(target="leaders-majority")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
LEADER_STALLED = Scene(
    name="leader stalled",
    story="The leader stops in the middle of its work and goes on after it was replaced.",
    acts=(Act(Pause(target="leaders")),),
    length_s=(DEPOSED_S, 3.2),
    calm_s=BRIEF_CALM,
)
RING_WITH_RESTARTS = Scene(
    name="ring with restarts",
    story="Everyone hears a majority, no two the same: leaders compete, and acceptors that "
    "restart between two ballots must remember their promises.",
    acts=(
        Act(Partition(topology="majorities-ring")),
        Act(Kill(target="one"), 0.35, 0.45),
        Act(Kill(target="one"), 0.65, 0.75),
    ),
    length_s=(2.8, 3.8),
    calm_s=(0.7, 1.2),
)
BRIDGE_WITH_RESTARTS = Scene(
    name="bridge with restarts",
    story="Two sides meet in one node, where the ballots of both arrive in turn; nodes restart "
    "in between.",
    acts=(
        Act(Partition(topology="bridge")),
        Act(Kill(target="leaders-minority"), 0.35, 0.45),
        Act(Kill(target="one"), 0.65, 0.75),
    ),
    length_s=(2.8, 3.8),
    calm_s=(0.7, 1.2),
)
OLD_LEADER_RETURNS = Scene(
    name="old leader returns",
    story="The leader is cut off and replaced; then all the others restart, and the old leader "
    "comes back with its old ballot to acceptors that promised a higher one.",
    acts=(
        Act(Partition(topology="leader-only"), 0.0, 1.0),
        Act(Kill(target="connected"), 0.78, 0.88),
    ),
    length_s=(2.8, 3.6),
    calm_s=LONG_CALM,
)
LEADER_AND_FOLLOWER_LOST = Scene(
    name="leader and follower lost",
    story="The leader dies with work in flight, and one more with it: the next leader has only "
    "the reports of the rest.",
    acts=(Act(Kill(target="leaders")), Act(Kill(target="one"), 0.1, 0.9)),
    length_s=(1.5, 2.4),
    calm_s=(0.7, 1.2),
)
OUTCAST_KILLED = Scene(
    name="outcast killed",
    story="The leader is cut off, killed there, and starts again with nobody to ask; then it "
    "comes back.",
    acts=(
        Act(Partition(topology="leader-only")),
        Act(Kill(target="isolated"), 0.45, 0.6),
    ),
    length_s=LONG,
    calm_s=(0.7, 1.2),
)
ONE_WAY = Scene(
    name="one way",
    story="Half of the nodes are heard by nobody in the other half but hear them.",
    acts=(Act(Partition(topology="one-way")),),
    length_s=(1.8, 2.8),
)
RANDOM_HALVES = Scene(
    name="random halves",
    story="Two groups; at most one of them may decide.",
    acts=(Act(Partition(topology="random-halves")),),
)
HALVES = Scene(
    name="halves",
    story="The first nodes against the last ones.",
    acts=(Act(Partition(topology="halves")),),
)
RING = Scene(
    name="ring",
    story="Everyone hears a majority, no two the same one.",
    acts=(Act(Partition(topology="majorities-ring")),),
    length_s=LONG,
)
BRIDGE = Scene(
    name="bridge",
    story="Two sides meet in one node.",
    acts=(Act(Partition(topology="bridge")),),
    length_s=LONG,
)
ONE_CUT_OFF = Scene(
    name="one cut off",
    story="One node misses everything and must catch up.",
    acts=(Act(Partition(topology="isolate-one")),),
)
THIRD_CUT_OFF = Scene(
    name="a third cut off",
    story="Less than a third of the nodes is on its own.",
    acts=(Act(Partition(topology="minority-third")),),
)
RAGGED = Scene(
    name="ragged links",
    story="Some links carry, others do not, each way for itself, and other ones every time: all "
    "views of who lives are wrong, and differ.",
    acts=in_turn(Partition(topology="ragged"), 5),
    length_s=(2.5, 3.5),
)
RAGGED_HEAL = Scene(
    name="ragged heal",
    story="The leader was left with a minority; then links come back one by one. A node of its "
    "side may hear the old leader only, while that one hears the new one.",
    acts=(
        Act(Partition(topology="split", target="leaders-minority"), 0.0, 0.5),
        Act(Partition(topology="frayed", target="isolated"), 0.48, 1.0),
    ),
    length_s=(1.6, 2.6),
    calm_s=(0.8, 1.3),
)
LEADER_DEAF = Scene(
    name="leader deaf",
    story="The leader is heard, so nobody replaces it, and hears no answer.",
    acts=(Act(Partition(topology="deaf", target="leaders")),),
    length_s=(1.5, 2.5),
    calm_s=(0.8, 1.4),
)
LEADER_MUTE = Scene(
    name="leader mute",
    story="The leader hears how it is replaced, and nobody hears it.",
    acts=(Act(Partition(topology="mute", target="leaders")),),
    length_s=(DEPOSED_S, 2.8),
)
LEADER_RESET = Scene(
    name="leader reset",
    story="The leader's connections are reset and refused, so it learns of the cut at once.",
    acts=(Act(Partition(topology="leader-only", mode="reset")),),
    length_s=(DEPOSED_S, 2.8),
)
LEADER_LOST = Scene(
    name="leader lost",
    story="The leader dies with work in flight.",
    acts=(Act(Kill(target="leaders")),),
)
MINORITY_LOST = Scene(
    name="minority lost",
    story="As many die as may.",
    acts=(Act(Kill(target="minority")),),
)
ROLLING_RESTARTS = Scene(
    name="rolling restarts",
    story="One node after the other restarts, until a majority has.",
    acts=flap(Kill(target="one"), 4),
    length_s=(3.0, 4.0),
    calm_s=LONG_CALM,
)
MINORITY_STALLED = Scene(
    name="minority stalled",
    story="As many stall as may; they go on with old news in their sockets.",
    acts=(Act(Pause(target="minority")),),
)
FOLLOWERS_STALLED = Scene(
    name="followers stalled",
    story="Only the leader runs: it must not decide alone.",
    acts=(Act(Pause(target="followers")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
ALL_STALLED = Scene(
    name="all stalled",
    story="Time passes for the clients and for nobody else.",
    acts=(Act(Pause(target="all")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
SLOW = Scene(
    name="slow links",
    story="Messages between nodes take 50 ms.",
    acts=(Act(Slow(mean_ms=50.0, jitter_ms=10.0)),),
)
LEADER_SLOW = Scene(
    name="slow leader",
    story="The leader's links take 300 ms on average, some much longer: old messages arrive "
    "after newer ones of others.",
    acts=(Act(Slow(target="leaders", mean_ms=300.0, distribution="exponential")),),
)
LOSSY = Scene(
    name="lossy links",
    story="A fifth of the messages is lost: answers are waited for in vain and asked for again.",
    acts=(Act(Lose(probability=0.2)),),
)
DUPLICATING = Scene(
    name="duplicating links",
    story="A third of the messages comes twice: two answers of one acceptor are one vote.",
    acts=(Act(Duplicate(probability=0.33)),),
)
REORDERING = Scene(
    name="reordering links",
    story="Messages overtake one another by up to 50 ms.",
    acts=(Act(Reorder(probability=0.3, window_ms=50.0)),),
)
THROTTLED = Scene(
    name="throttled links",
    story="20 kB a second on each link: queues build up.",
    acts=(Act(Throttle(bytes_per_s=20_000)),),
)
CLIENTS_OFF_LEADER = Scene(
    name="clients off the leader",
    story="The leader is well, but requests must come through the others.",
    acts=(Act(Partition(topology="clients", target="leaders")),),
)
CLIENTS_OFF_MINORITY = Scene(
    name="clients off a minority",
    story="Some nodes are of no use to clients, and of full use to their peers.",
    acts=(Act(Partition(topology="clients", target="minority")),),
)
ANSWERS_LOST = Scene(
    name="answers lost",
    story="Requests are carried out and nobody is told: whoever tries again must not do it twice.",
    acts=(Act(Partition(topology="answers-lost", target="majority")),),
)
LEADER_FLAPPING = Scene(
    name="leader flapping",
    story="The leader of the moment comes and goes.",
    acts=flap(Partition(topology="leader-only"), 5),
    length_s=(3.0, 4.0),
)
HALVES_FLAPPING = Scene(
    name="halves flapping",
    story="Another two groups each time.",
    acts=flap(Partition(topology="random-halves"), 6),
    length_s=(3.0, 4.0),
)
LEADER_STUTTERING = Scene(
    name="leader stuttering",
    story="The leader stops and goes on, just about as long as its followers are patient.",
    acts=flap(Pause(target="leaders"), 5),
    length_s=(3.5, 5.0),
)
CRASH_LOOP = Scene(
    name="crash loop",
    story="Nodes die soon after they have started, in the midst of recovery.",
    acts=flap(Kill(target="one"), 6),
    length_s=(3.0, 4.0),
    calm_s=LONG_CALM,
)
