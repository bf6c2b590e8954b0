"""The morning's word on a night: for a terminal, and as Markdown.

Rules
1. What is new comes first, then what came back, what is known, what has gone, what did not show;
   then what says how far to trust it: runs without a verdict, and every cell.
2. Whatever a history or a log may have in it is shown and never obeyed: on a terminal control
   characters are replaced, in Markdown all that means something there is written as a character
   reference.
3. No list is longer than SHOWN_MAX; it says how many it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness.nightly.archive import DIGEST, Archive
from harness.nightly.findings import KEPT_MAX
from harness.nightly.grouping import Unseen, came_back, has_gone, unseen_of
from harness.nightly.junit import junit
from harness.nightly.records import Cell, Group, Night, RunRecord
from harness.nightly.trends import HOUR_S, Digest, Trends, digest, lines, sparkline, trends
from harness.report.words import clip, printable

SHOWN_MAX = 20
SENTENCE_MAX = 300
CELLS_SHOWN_MAX = 3
NOTICE_MAX = 600  # it may name a folder
NOT_KEPT = (
    f"not kept, as all after the first {KEPT_MAX} of a night, or those that met trouble: its seeds "
    "are in runs.jsonl"
)
_ENDS = ("valid", "invalid", "unknown", "idle", "trouble", "hung", "lost")
_MARKDOWN = str.maketrans({c: f"&#{ord(c)};" for c in "&<>\\`*_[]|~#@$!"})


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """The groups as a night leaves them. `new`, `back`, `known`: failed in it; `gone`: with it;
    `unseen`: failed in the night that last saw them, and may still be there."""

    new: list[Group]
    back: list[Group]
    known: list[Group]
    gone: list[tuple[Group, Unseen]]
    unseen: list[tuple[Group, Unseen]]


def sort_groups(night: Night, groups: Sequence[Group]) -> Sorted:
    """`groups`: as they are in the archive after that night. Of an older night, what failed later
    is left out."""
    ran = {cell.name: cell.runs for cell in night.cells}
    seen = sorted(
        (g for g in groups if night.name in g.nights), key=lambda g: -g.nights[night.name]
    )
    quiet = [g for g in groups if night.name not in g.nights and min(g.nights) < night.name]
    told = [(g, unseen_of(g, ran)) for g in quiet]
    return Sorted(
        new=[g for g in seen if min(g.nights) == night.name],
        back=[g for g in seen if came_back(g, night.name)],
        known=[g for g in seen if min(g.nights) < night.name and not came_back(g, night.name)],
        gone=[(g, unseen) for g, unseen in told if g.gone == night.name],
        unseen=[(g, unseen) for g, unseen in told if not has_gone(g)],
    )


def files(
    archive: Archive, night: Night, records: Sequence[RunRecord], groups: Sequence[Group]
) -> dict[str, bytes]:
    """What a night leaves for its readers, by name in its folder. Raises EnvironmentTrouble where
    the nights before cannot be read."""
    before = [found for found in archive.nights() if found.name < night.name]
    own = digest(night, archive.records(night.name))

    def digest_of(name: str) -> Digest | None:
        return own if name == night.name else archive.digest(name)

    told = trends([*before, night], archive.records, groups, digest_of=digest_of)
    return {
        DIGEST: msgspec.json.encode(own),
        "summary.md": markdown(night, groups, archive.address, told).encode(),
        "junit.xml": junit(night, records, groups),
    }


# --- for a terminal ---


def terminal(night: Night, groups: Sequence[Group], archive_address: str) -> list[str]:
    """Lines without markup."""
    found = sort_groups(night, groups)
    told = [_headline(night), _ends_line(night)]
    told += [f"note: {notice}" for notice in _notices(night)]
    for title, shown in (("new", found.new), ("back", found.back), ("known", found.known)):
        told += _listed(f"{title.upper()} {len(shown)}", shown, lambda g: _group(g, night))
    told += _listed(f"GONE {len(found.gone)}", found.gone, lambda pair: [_gone_line(*pair)])
    told += _listed(f"NOT SEEN {len(found.unseen)}", found.unseen, lambda p: [_unseen_line(*p)])
    told += ["", *_cell_table(night.cells), "", f"archive  {archive_address}/nights/{night.name}"]
    return [printable(line).replace("\n", " ").replace("\t", " ") for line in told]


def _headline(night: Night) -> str:
    hours = night.seconds / HOUR_S
    spent = f"{hours:.1f} h" if hours >= 1 else f"{night.seconds:.0f} s"
    return f"night {night.name}: {spent}, {_count(night.workers, 'worker')}; {night.stopped}"


def _ends_line(night: Night) -> str:
    runs = sum(night.ends.values())
    rate = f" ({runs / night.seconds * HOUR_S:,.0f}/h)" if night.seconds else ""
    ends = [f"{end} {night.ends[end]:,}" for end in _ENDS if night.ends.get(end)]
    return f"{_count(runs, 'run')}{rate}: {', '.join(ends) or 'nothing was run'}"


def _notices(night: Night) -> list[str]:
    """What the night said, and the cells that say little: most of their runs came to no verdict."""
    silent = [
        f"{c.name}: {c.unjudged:,} of {c.runs:,} runs are neither valid nor invalid, as the first: "
        f"{c.why or 'it does not say why'}"
        for c in night.cells
        if c.unjudged * 2 > c.runs
    ]
    return [clip(notice, NOTICE_MAX) for notice in (*night.notices, *silent)][:SHOWN_MAX]


def _listed(title: str, shown: Sequence[object], each: Callable[..., list[str]]) -> list[str]:
    if not shown:
        return []
    told = ["", title]
    for one in shown[:SHOWN_MAX]:
        told += [f"  {line}" for line in each(one)]
    if len(shown) > SHOWN_MAX:
        told.append(f"  and {len(shown) - SHOWN_MAX} more, in nights/groups.json")
    return told


def _group(g: Group, night: Night) -> list[str]:
    told = [f"{g.fingerprint}  {g.system}  {_in_runs(g, night)}{_history(g, night)}"]
    told.append(f"  {clip(g.sentence, SENTENCE_MAX)}")
    told += [f"  {line}" for line in _where(g, night)]
    if g.folder:
        told += [f"  {line}" for line in _small(g)]
    else:
        told.append(f"  {NOT_KEPT}")
    if g.replay:
        told.append(f"  {g.replay}")
    return told


def _where(g: Group, night: Night) -> list[str]:
    """The cells in which it failed: where to look first."""
    if max(g.nights) != night.name or len(night.cells) < 2:
        return []
    failing = sorted(((k, n, name) for name, (k, n) in g.cells.items() if k), reverse=True)
    told = [f"{name}: {k:,} of {n:,}" for k, n, name in failing[:CELLS_SHOWN_MAX]]
    more = len(failing) - len(told)
    return [*told, *([f"and in {_count(more, 'more cell')}"] if more else [])]


def _small(g: Group) -> list[str]:
    if g.shrunk is not None:
        return [f"made small: {g.shrunk[0]:,} choices to {g.shrunk[1]:,}"]
    return [f"not made small: {clip(g.unshrunk, SENTENCE_MAX)}"] if g.unshrunk else []


def _in_runs(g: Group, night: Night) -> str:
    runs = sum(runs for _, runs in g.cells.values())
    of = f" of {runs:,}" if runs and max(g.nights) == night.name else ""
    return f"in {g.nights[night.name]:,}{of} runs"


def _history(g: Group, night: Night) -> str:
    nights = [name for name in g.nights if name <= night.name]
    return "" if len(nights) < 2 else f", in {len(nights)} nights since {min(nights)}"


def _gone_line(g: Group, unseen: Unseen) -> str:
    return (
        f"{g.fingerprint}  {g.system}  failed in {unseen.failed:,} of {unseen.runs:,} runs, in "
        f"none of {unseen.quiet:,} since (by chance alone: {_chance(unseen.chance)})"
    )


def _unseen_line(g: Group, unseen: Unseen) -> str:
    return f"{g.fingerprint}  {g.system}  {unseen.why or 'what came of it is not known'}"


def _chance(share: float) -> str:
    return "under 0.01 %" if share < 0.0001 else f"{share * 100:.2g} %"


def _cell_table(cells: Sequence[Cell]) -> list[str]:
    if not cells:
        return ["no cell was run"]
    shown = sorted(cells, key=lambda c: (-c.invalid, c.name))[:SHOWN_MAX]
    width = min(60, max(len(cell.name) for cell in shown))
    told = [f"{'cell':<{width}}  {'runs':>9}  {'invalid':>7}  {'operations':>11}  faults in effect"]
    told += [
        f"{clip(cell.name, width):<{width}}  {cell.runs:>9,}  {cell.invalid:>7,}  "
        f"{cell.operations:>11,}  {_in_effect(cell)}"
        for cell in shown
    ]
    if len(cells) > SHOWN_MAX:
        told.append(f"and {len(cells) - SHOWN_MAX} more cells, in night.json")
    return told


def _in_effect(cell: Cell) -> str:
    kinds = sorted(cell.in_effect.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{kind} {count:,}" for kind, count in kinds[:4])
    return named + (f" and {len(kinds) - 4} kinds more" if len(kinds) > 4 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# --- as Markdown ---


def markdown(
    night: Night, groups: Sequence[Group], archive_address: str, found: Trends | None = None
) -> str:
    """A page for GitHub, a mail or a chat. `found`: the trends of nights, if any."""
    sorted_ = sort_groups(night, groups)
    shares = _shares(found)
    told = [
        f"# {_verdict(night, sorted_)}",
        "",
        f"{_md(_headline(night))}  ",
        _md(_ends_line(night)),
    ]
    notices = _notices(night)
    if notices:
        told += ["", *(f"- {_md(notice)}" for notice in notices)]
    for title, shown in (("New", sorted_.new), ("Back", sorted_.back), ("Known", sorted_.known)):
        if shown:
            told += ["", f"## {title}: {len(shown)}"]
        for g in shown[:SHOWN_MAX]:
            told += _group_in_markdown(g, night, shares.get((g.system, g.fingerprint), ""))
        if len(shown) > SHOWN_MAX:
            told += ["", f"And {len(shown) - SHOWN_MAX} more."]
    if sorted_.gone:
        told += ["", f"## Gone: {len(sorted_.gone)}", ""]
        told += [f"- {_md(_gone_line(*pair))}" for pair in sorted_.gone[:SHOWN_MAX]]
    if sorted_.unseen:
        told += ["", f"## Not seen: {len(sorted_.unseen)}", ""]
        told += [f"- {_md(_unseen_line(*pair))}" for pair in sorted_.unseen[:SHOWN_MAX]]
    told += ["", "## Cells", "", *_cells_in_markdown(night.cells)]
    compared = lines(found) if found is not None else []
    if compared:
        told += ["", "## Trends", "", *_fenced("\n".join(compared), "text")]
    told += ["", f"Archive: {_md(f'{archive_address}/nights/{night.name}')}", ""]
    return "\n".join(told)


def _verdict(night: Night, found: Sorted) -> str:
    """The line that a reader on a telephone sees."""
    parts = [
        f"{len(groups)} {word}"
        for word, groups in (
            ("new", found.new),
            ("back", found.back),
            ("known", found.known),
            ("gone", found.gone),
        )
        if groups
    ]
    runs = _count(sum(night.ends.values()), "run")
    return f"{', '.join(parts)} in {runs}" if parts else f"No failure in {runs}"


def _shares(found: Trends | None) -> dict[tuple[str, str], str]:
    if found is None or len(found.nights) < 2:
        return {}
    return {(g.system, g.fingerprint): sparkline(g.shares) for g in found.groups}


def _group_in_markdown(g: Group, night: Night, trend: str) -> list[str]:
    told = ["", f"### {_md(g.fingerprint)}", "", _md(clip(g.sentence, SENTENCE_MAX)), ""]
    told.append(f"- {_md(g.system)}, {_in_runs(g, night)}{_history(g, night)}")
    if trend:
        told.append(f"- share of runs, night by night: {trend}")
    told += [f"- {_md(line)}" for line in (*_where(g, night), *_small(g))]
    if not g.folder:
        told.append(f"- {NOT_KEPT}")
    if g.replay:
        told += ["", *_fenced(g.replay, "sh")]
    return told


def _cells_in_markdown(cells: Sequence[Cell]) -> list[str]:
    told = [
        "| cell | runs | invalid | operations | runs/h | faults in effect |",
        "|---|--:|--:|--:|--:|---|",
    ]
    shown = sorted(cells, key=lambda c: (-c.invalid, c.name))
    for cell in shown[:SHOWN_MAX]:
        rate = f"{cell.runs / cell.seconds * HOUR_S:,.0f}" if cell.seconds else ""
        told.append(
            f"| {_md(cell.name)} | {cell.runs:,} | {cell.invalid:,} | {cell.operations:,} "
            f"| {rate} | {_md(_in_effect(cell))} |"
        )
    if len(cells) > SHOWN_MAX:
        told += ["", f"And {len(cells) - SHOWN_MAX} more cells."]
    return told


def _md(text: str) -> str:
    """Text that means nothing in Markdown, on one line; an address in it is no link."""
    line = " ".join(printable(text).split())
    return line.translate(_MARKDOWN).replace("://", "&#58;//").replace("www.", "www&#46;")


def _fenced(text: str, language: str) -> list[str]:
    plain = "\n".join(printable(text).splitlines())
    fence = "```"
    while fence in plain:
        fence += "`"
    return [fence + language, plain, fence]


__all__ = ["Sorted", "files", "junit", "markdown", "sort_groups", "terminal"]
