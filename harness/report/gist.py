"""A run in five lines: what was run, what is wrong, why, which fault was in force, how to see it
again; of one that found nothing wrong, how much that is worth.

Rule: each line stands alone, and repeats what was recorded or what a checker said; of a guess about
the cause there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from checkers.faults import FaultInterval
from checkers.history import Call
from checkers.statistics import Statistics
from checkers.verdict import Kind, Verdict
from harness.report import remedies, words
from harness.report.contradiction import Contradiction, contradiction
from harness.report.explanations import Explanation, leaves

TEXT_MAX = 600  # characters of a line
CHECKS_NAMED = 6
VALUES_TOLD = 3


class Line(msgspec.Struct, frozen=True):
    """`label`: one word. `command`: the text is one, to be copied."""

    label: str
    text: str
    command: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines are made of, read by the caller."""

    explained: Sequence[Explanation]
    faults: Sequence[FaultInterval]
    stats: Statistics
    settings: Mapping[str, str]
    rerun: str
    path: str


def story(verdict: Verdict, known: Known) -> list[Line]:
    """Five lines; the first and the last are the same of every kind of verdict."""
    ran = Line("Run", _clip(_ran(known)))
    if verdict.kind is Kind.INVALID and known.explained:
        middle = _wrong(verdict, known.explained[0])
    else:
        middle = _worth(verdict, known)
    return [ran, *middle, _again(verdict, known)]


def _ran(known: Known) -> str:
    s = known.settings
    total = sum(sum(counts.values()) for counts in known.stats.counts.values())
    counted = f"{total:,} operation{'s' * (total != 1)}{words.lasting(known.stats.duration_s)}"
    if s.get("history"):
        model = f", judged as a {s['model']}" if s.get("model") else ""
        return f"{counted}, recorded in {s['history']}{model}."
    if "workload" not in s:
        return f"{counted}."
    opening = f"{s['workload']} on {s.get('system', 'a system')}"
    sizes = [f"{s[name]} {name}" for name in ("nodes", "clients") if name in s]
    faults = s.get("faults", "")
    broken = f"faults {faults}" if faults and faults != "none" else "no faults"
    return ", ".join([opening, *sizes, broken]) + f": {counted}."


def _wrong(verdict: Verdict, one: Explanation) -> list[Line]:
    calls = {call.index: call for call in one.calls}
    found = contradiction(one.verdict.evidence.get("contradiction"))
    force = next((s for s in one.sentences if _of_force(s)), "Nothing says when it happened.")
    if found is not None:
        why = _reason(found, calls)
    else:
        why = " ".join(s for s in one.sentences[1:] if not _of_force(s))
    return [
        Line("Wrong", _clip(verdict.summary)),
        Line("Why", _clip(why or "The evidence below is all that is known.")),
        Line("Fault", _clip(force)),
    ]


def _of_force(sentence: str) -> bool:
    return sentence.startswith(words.IN_FORCE)


def _reason(found: Contradiction, calls: Mapping[int, Call]) -> str:
    """What made the values that were possible, and since when the call's own was not."""
    blamed = calls.get(found.operation)
    told = [
        _made(v.state, calls[v.operation])
        for v in found.values[:VALUES_TOLD]
        if v.operation is not None and v.operation in calls
    ]
    fits = next((p.fits for p in found.partial if p.fits is not None), None)
    until = None if fits is None else calls.get(fits.until)
    if blamed is not None and until is not None:
        told.append(
            f"It would have been right before operation {until.index} ({words.what(until, 30)})"
            f"{_before(until, blamed)}."
        )
    elif found.partial and not told:
        told.append(f"The order that went furthest ends with: {found.partial[0].reason}.")
    return " ".join(told)


def _made(state: str, call: Call) -> str:
    done = call.completion
    ended = "whose outcome is unknown"
    if done is not None and call.outcome == "ok":
        when = "" if words.untimed(call) else f" at {words.seconds(done.time)}"
        ended = f"acknowledged{when}"
    made = f"operation {call.index} ({words.what(call, 30)} by process {call.invoke.process})"
    return f"“{words.clip(state, 60)}” comes from {made}, {ended}."


def _before(earlier: Call, later: Call) -> str:
    """', which had returned 0.120 s before operation 8 began'."""
    done = earlier.completion
    if done is None or done.index > later.index or earlier.outcome != "ok":
        return ""
    passed = "" if words.untimed(earlier) else f"{words.seconds(later.invoke.time - done.time)} "
    return f", which had returned {passed}before operation {later.index} began"


def _worth(verdict: Verdict, known: Known) -> list[Line]:
    """How much a verdict without a violation is worth."""
    if verdict.kind is Kind.UNKNOWN:
        first = Line("Unknown", _clip(verdict.summary))
    else:
        first = Line("Checked", _clip(_checked(verdict)))
    weakest = Line("Weakest", _weakest(known))
    return [first, Line("Exercised", _clip(_exercised(known))), weakest]


def _checked(verdict: Verdict) -> str:
    parts = leaves(verdict)
    names = list(dict.fromkeys(leaf.checker for leaf in parts))
    rest = len(names) - CHECKS_NAMED
    listed = ", ".join(words.clip(name, 40) for name in names[:CHECKS_NAMED])
    more = f" and {rest} more" if rest > 0 else ""
    if len(parts) == 1:
        return f"{listed}: {words.clip(verdict.summary, 200)}"
    return f"{len(names)} checks found nothing wrong: {listed}{more}."


def _exercised(known: Known) -> str:
    counts = known.stats.counts
    done = [f"{words.clip(f, 30)} {c['ok']:,}" for f, c in counts.items()]
    listed = ", ".join(done[:CHECKS_NAMED]) or "no operation"
    acted = Counter(words.clip(f.kind, 30) for f in known.faults if f.in_effect or not f.probed)
    faults = ", ".join(f"{kind} {n:,}" for kind, n in acted.most_common(CHECKS_NAMED))
    return f"Succeeded: {listed}. {_seen(known)}: {faults or 'none'}."


def _seen(known: Known) -> str:
    """Of faults that nobody probed nothing was seen."""
    return "Faults seen in effect" if all(f.probed for f in known.faults) else "Faults"


def _weakest(known: Known) -> str:
    """What was exercised least: what a passing run says least about."""
    idle = Counter(words.clip(f.kind, 30) for f in known.faults if f.probed and not f.in_effect)
    acted = Counter(words.clip(f.kind, 30) for f in known.faults if f.in_effect or not f.probed)
    counts = known.stats.counts
    share = known.stats.availability.share
    if not counts:
        return "No client did anything."
    never = [words.clip(f, 30) for f, c in counts.items() if not c["ok"]]
    if never:
        return f"Never succeeded: {', '.join(never[:CHECKS_NAMED])}."
    if idle:
        kind, n = idle.most_common(1)[0]
        return f"{kind}: {n:,} of {n + acted[kind]:,} were not seen in effect."
    if not known.faults:
        return "No fault was injected: only the quiet case was seen."
    f, fewest = min(counts.items(), key=lambda item: item[1]["ok"])
    kind, n = min(acted.items(), key=lambda item: item[1])
    available = "" if share is None else f"; {share:.1%} of operations were answered"
    return (
        f"{words.clip(f, 30)} succeeded {fewest['ok']:,} times, {kind} struck {n:,} "
        f"time{'s' * (n != 1)}{available}."
    )


def _again(verdict: Verdict, known: Known) -> Line:
    if verdict.kind is Kind.UNKNOWN and known.explained:
        advice = remedies.advice(known.explained[0].sentences)
        if advice:
            return Line("Next", _clip(advice))
    if known.rerun:
        return Line("Again" if verdict.kind is not Kind.VALID else "Repeat", known.rerun, True)
    if verdict.kind is Kind.VALID:
        return Line("Next", "Record longer, with more clients and more faults, and check again.")
    where = known.path or "the same history"
    return Line("Again", f"Check {where} again with antipaxos check.")


def _clip(text: str) -> str:
    return words.clip(text, TEXT_MAX)
