"""Scenes of disks, clocks, held links, crashed clients, members, damage and treason, for clusters
in which these can be broken, such as the simulated one. The rules of `scenes` hold for them too.

Rules
1. Only the scenes of cut logs and of treason, at the end, go beyond what Paxos assumes. What was
   synced stays, but on the disks that scenes of damage strike: on fewer than half of the nodes over
   a whole run, and so that whoever checks what it reads can see it. A log whose end is gone looks
   like one that was never longer: its node has forgotten what it promised, and need not know.
2. A clock gets at most CLOCK_MS ahead: set right, it stands still for as long, and the calm after
   the scene is longer. One that falls behind is set right by a jump, and may fall behind further.

Sources: torn and unsynced writes after a power failure as in ALICE (Pillai et al. 2014); damaged
records, and why a node must neither trust nor simply forget them, in Protocol-Aware Recovery
(Alagappan et al. 2018). That leases by drifting clocks give stale reads is known from Jepsen.
"""

from __future__ import annotations

from nemesis.faults import (
    Betray,
    Corrupt,
    CorruptDisk,
    CrashClients,
    FailDisk,
    FillDisk,
    Hold,
    Kill,
    LoseUnsynced,
    Partition,
    RemoveMember,
    SkewClock,
    SlowDisk,
    TruncateDisk,
)
from nemesis.plans import Act, Range, Scene, flap
from nemesis.scenes import BRIEF_CALM, DEPOSED_S, LONG, LONG_CALM, SHORT, STORY

CLOCK_MS = 1000.0
SEEN: Range = (1.8, 2.6)  # nobody can serve; shorter, and a probe that waits in vain takes it all

POWER_OFF_LEADER = Scene(
    name="leader without power",
    story="The leader loses what it had not synced: whatever it said before the sync was a lie.",
    acts=(Act(LoseUnsynced(target="leaders")),),
)
POWER_OFF_MAJORITY = Scene(
    name="majority without power",
    story="A majority loses what it had not synced, its leader too: a value that counted as chosen "
    "before it was on their disks is gone.",
    acts=(Act(LoseUnsynced(target="leaders-majority")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
POWER_CUT = Scene(
    name="power cut",
    story="All nodes lose their power at once: only what was synced is left, anywhere.",
    acts=(Act(LoseUnsynced(target="all")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
POWER_FLICKERS = Scene(
    name="flickering power",
    story="Power fails again while nodes still recover from torn writes: recovery must bear to be "
    "cut short.",
    acts=flap(LoseUnsynced(target="one"), 5),
    length_s=(3.0, 4.0),
    calm_s=LONG_CALM,
)
SLOW_THEN_DARK = Scene(
    name="slow disks, then no power",
    story="Every sync takes long, so that much is answered for and not yet on disk when a majority "
    "loses its power.",
    acts=(
        Act(SlowDisk(target="all", mean_ms=40.0)),
        Act(LoseUnsynced(target="leaders-majority"), 0.6, 0.75),
    ),
    length_s=LONG,
    calm_s=LONG_CALM,
)
LEADER_DISK_SLOW = Scene(
    name="slow disk of the leader",
    story="The leader's syncs take 150 ms on average: it must not answer before its own is done, "
    "nor hold up what needs none.",
    acts=(Act(SlowDisk(target="leaders", mean_ms=150.0)),),
)
LEADER_DISK_FULL = Scene(
    name="full disk of the leader",
    story="The leader can write nothing: it must neither promise nor accept, and others take over.",
    acts=(Act(FillDisk(target="leaders")),),
    length_s=LONG,
    calm_s=(0.8, 1.4),
)
MINORITY_DISKS_FULL = Scene(
    name="full disks of a minority",
    story="As many nodes as may cannot write; the others go on.",
    acts=(Act(FillDisk(target="minority")),),
)
DISKS_FULL = Scene(
    name="full disks",
    story="Nobody can write, so nothing may be chosen; then there is room again.",
    acts=(Act(FillDisk(target="all")),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)

LEADER_DISK_FAILS = Scene(
    name="failing disk of the leader",
    story="One in five of the leader's reads, writes and syncs fails: what was not synced must not "
    "count as stored, least of all when the next sync succeeds.",
    acts=(Act(FailDisk(target="leaders")),),
    length_s=LONG,
    calm_s=(0.8, 1.4),
)
MINORITY_DISKS_FAIL = Scene(
    name="failing disks of a minority",
    story="As many nodes as may meet an error now and then; the others go on.",
    acts=(Act(FailDisk(target="minority", probability=0.05)),),
    calm_s=(0.8, 1.4),
)
DISKS_FAIL = Scene(
    name="failing disks",
    story="Every node meets an error sooner or later: whoever gives up must have promised nothing "
    "that it did not store.",
    acts=(Act(FailDisk(target="all", probability=0.02)),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)

LEADER_UPTIME_AHEAD = Scene(
    name="leader's monotonic clock jumps ahead",
    story="The leader restarts where more time has passed since the machine did: no reading of "
    "another life, or of another host, means anything to it.",
    acts=(Act(SkewClock(target="leaders", offset_ms=CLOCK_MS, clock="monotonic")),),
    length_s=LONG,
    calm_s=LONG_CALM,
)
ONE_UPTIME_BEHIND = Scene(
    name="a monotonic clock falls behind",
    story="One node restarts where less time has passed: a deadline that it stored lies far ahead.",
    acts=(Act(SkewClock(target="one", offset_ms=-CLOCK_MS, clock="monotonic")),),
    length_s=LONG,
    calm_s=LONG_CALM,
)

LEADER_REPLACED = Scene(
    name="leader replaced",
    story="The leader is voted out and comes back as a new member with an empty disk: it must not "
    "count as the one that it was.",
    acts=(Act(RemoveMember(target="leaders")),),
    length_s=LONG,
    calm_s=LONG_CALM,
)
MEMBER_REPLACED = Scene(
    name="member replaced",
    story="One node is voted out and comes back empty; in between fewer make a quorum.",
    acts=(Act(RemoveMember(target="one")),),
    length_s=LONG,
    calm_s=LONG_CALM,
)

LEADER_CLOCK_AHEAD = Scene(
    name="leader's clock jumps ahead",
    story="The leader's timeouts fire at once: what it waits for has not come yet, and is no "
    "refusal. Set right, its clock stands still for a second.",
    acts=(Act(SkewClock(target="leaders", offset_ms=CLOCK_MS)),),
    calm_s=LONG_CALM,
)
LEADER_CLOCK_STOPS = Scene(
    name="leader's clock is set back",
    story="For a second no time passes for the leader: a lease that it holds by its own clock is "
    "over for everyone else.",
    acts=(Act(SkewClock(target="leaders", offset_ms=-CLOCK_MS)),),
)
LEADER_OUT_OF_TIME = Scene(
    name="leader out of time",
    story="No time passes for the leader while it is cut off and replaced: whatever it knew of its "
    "followers is still fresh, to it.",
    acts=(
        Act(SkewClock(target="leaders", offset_ms=-2 * CLOCK_MS)),
        Act(Partition(topology="leader-only"), 0.05, 1.0),
    ),
    length_s=LONG,
    calm_s=(0.8, 1.4),
)
LEADER_CLOCK_SLOW = Scene(
    name="slow clock of the leader",
    story="The leader's clock takes twice as long, and it is cut off: it must not believe that it "
    "leads for longer than the others wait.",
    acts=(
        Act(SkewClock(target="leaders", drift=-0.5)),
        Act(Partition(topology="leader-only"), 0.1, 1.0),
    ),
    length_s=LONG,
    calm_s=(0.8, 1.4),
)
CLOCKS_DRIFT = Scene(
    name="clocks drift apart",
    story="A minority's clocks run faster by a quarter: it loses patience with every leader first.",
    acts=(Act(SkewClock(target="minority", drift=0.25)),),
    calm_s=LONG_CALM,
)
CLOCKS_JUMP = Scene(
    name="all clocks jump",
    story="All timeouts fire together, and nobody backs off by chance.",
    acts=(Act(SkewClock(target="all", offset_ms=CLOCK_MS / 2)),),
    length_s=SHORT,
    calm_s=LONG_CALM,
)
CLOCKS_FLICKER = Scene(
    name="clocks jump to and fro",
    story="One clock after the other jumps ahead and is set right.",
    acts=flap(SkewClock(target="one", offset_ms=CLOCK_MS / 4), 5),
    length_s=(3.0, 4.0),
    calm_s=LONG_CALM,
)

LEADER_HELD = Scene(
    name="leader held",
    story="Nothing passes between the leader and its peers until it was replaced; then all that "
    "both sides had said arrives at once, in its order.",
    acts=(Act(Hold(target="leaders")),),
    length_s=LONG,
    calm_s=(0.8, 1.4),
)
OLD_NEWS = Scene(
    name="old news",
    story="What the leader sends is held until others lead and acceptors have restarted: its old "
    "proposals then meet promises that must have survived.",
    acts=(
        Act(Hold(target="leaders", direction="out")),
        Act(Kill(target="connected"), 0.72, 0.82),
    ),
    length_s=STORY,
    calm_s=LONG_CALM,
)
LATE_ANSWERS = Scene(
    name="late answers",
    story="The leader is heard and hears nothing; then it gets every answer, to questions of "
    "ballots long past.",
    acts=(Act(Hold(target="leaders", direction="in")),),
    length_s=(DEPOSED_S, 2.8),
    calm_s=(0.8, 1.4),
)
MINORITY_HELD = Scene(
    name="minority held",
    story="Some nodes hear everything, all at once and late.",
    acts=(Act(Hold(target="minority")),),
)
HELD_BREATH = Scene(
    name="held breath",
    story="No message arrives anywhere, none is lost.",
    acts=(Act(Hold(target="all")),),
    length_s=SEEN,
    calm_s=LONG_CALM,
)

HALF_OF_CLIENTS_CRASH = Scene(
    name="half of the clients crash",
    story="Requests of clients that are no more are on their way, and may yet be carried out.",
    acts=(Act(CrashClients(share=0.5)),),
    length_s=SHORT,
    calm_s=BRIEF_CALM,
)
CLIENTS_AND_LEADER_CRASH = Scene(
    name="clients and leader crash",
    story="All clients and the leader are gone: the next one finds work that nobody waits for.",
    acts=(Act(CrashClients(share=1.0)), Act(Kill(target="leaders"), 0.05, 1.0)),
    calm_s=(0.8, 1.4),
)

CORRUPTED = Scene(
    name="damaged disk",
    story="A bit of one stored record flips: whoever starts from it has promised what it never "
    "promised, or forgotten it. To see the damage and not to run is right.",
    acts=(Act(CorruptDisk(), 0.0, 0.4),),
    calm_s=(0.8, 1.4),
)
CORRUPTED_WIDELY = Scene(
    name="badly damaged disk",
    story="Several records of one node are damaged, early ones too: a check of the last is not "
    "enough.",
    acts=(Act(CorruptDisk(records=8), 0.0, 0.4),),
    calm_s=(0.8, 1.4),
)
CORRUPTED_THEN_LEADER_LOST = Scene(
    name="damaged disk, leader lost",
    story="The next leader asks for reports, and one of those who answer may read from a damaged "
    "disk.",
    acts=(Act(CorruptDisk(), 0.0, 0.3), Act(Kill(target="leaders"), 0.45, 0.9)),
    length_s=LONG,
    calm_s=LONG_CALM,
)

TRUNCATED = Scene(
    name="cut log",
    story="A disk forgets the end of what it had called durable, and its node with it: it may "
    "promise again what it promised to others. Paxos believes it.",
    acts=(Act(TruncateDisk(), 0.0, 0.4),),
    calm_s=(0.8, 1.4),
)
TRUNCATED_THEN_LEADER_LOST = Scene(
    name="cut log, leader lost",
    story="The next leader asks for reports, and one of those who answer has forgotten what it "
    "accepted. Paxos believes it.",
    acts=(Act(TruncateDisk(bytes=1000), 0.0, 0.3), Act(Kill(target="leaders"), 0.45, 0.9)),
    length_s=LONG,
    calm_s=LONG_CALM,
)

REPORTS_ALTERED = Scene(
    name="a node alters what it reports",
    story="One node tells others what it never accepted. Paxos believes it.",
    acts=(Act(Betray(target="one", behaviour="alter")),),
    length_s=LONG,
    calm_s=BRIEF_CALM,
)
LEADER_EQUIVOCATES = Scene(
    name="the leader equivocates",
    story="The leader proposes something else to each acceptor in one ballot. Paxos believes it.",
    acts=(Act(Betray(target="leaders", behaviour="equivocate")),),
    length_s=LONG,
    calm_s=BRIEF_CALM,
)
BALLOTS_FORGED = Scene(
    name="a node forges ballots",
    story="One node speaks in ballots of others. Paxos believes it.",
    acts=(Act(Betray(target="one", behaviour="forge")),),
    length_s=LONG,
    calm_s=BRIEF_CALM,
)
MESSAGES_ALTERED = Scene(
    name="messages altered on their way",
    story="A tenth of the messages is not what was sent, and nothing shows it. Paxos believes it.",
    acts=(Act(Corrupt(probability=0.1)),),
)
