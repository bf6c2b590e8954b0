"""Does the search grow with the history, not faster? All kinds of register histories, all sizes.

    python -m benchmarks.engine_scaling [size ...] [--only TEXT] [--interleaving NAME]

By default 10^3 to 10^6 operations; 10000000 takes some ten minutes more. One key, ten clients (a
hundred in bursts); kinds are by model, values, share of unknown outcomes, and `bad` for a violation
at 99.5 %. For each kind the seconds by size, the slope of the line through their logarithms (1 is
linear), operations a second at the largest size, the megabytes that the search took there beyond
the history, and the bytes of the history for each operation.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from benchmarks.histories import CLIENTS, KINDS, Kind, register
from benchmarks.measure import Measured, need_engine, repeated, search, slope
from benchmarks.schedules import BURST, INTERLEAVINGS
from checkers.models import model

SIZES = (1_000, 10_000, 100_000, 1_000_000)

SLOPE_MAX = 1.1
RATE_MIN = 1e6  # operations a second, valid with up to 1 % unknown
MILLION_S, TEN_MILLION_S = 10.0, 15.0
BEYOND_MB, BYTES_PER_OPERATION = 64.0, 100.0


class Row(NamedTuple):
    """Of one kind and size."""

    kind: Kind
    calls: int
    measured: Measured
    bytes_per_call: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--only", default="", metavar="TEXT", help="kinds whose name has this")
    parser.add_argument("--interleaving", choices=INTERLEAVINGS, default="steady")
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS")
    given = parser.parse_args()
    need_engine()
    print(
        f"{'kind':<30}" + "".join(f"{f'{n:.0e} s':>10}" for n in given.sizes)
        + f"{'slope':>7}{'Mops/s':>8}{'MB':>7}{'B/op':>6}  verdict"
    )  # fmt: skip
    rows = []
    for kind in (kind for kind in KINDS if given.only in str(kind)):
        mine = [measure(kind, n, given.interleaving, given.limit) for n in given.sizes]
        rows += mine
        print(line(mine), flush=True)
    if given.interleaving == "steady":
        claims(rows)


def measure(kind: Kind, calls: int, interleaving: str, limit_s: float) -> Row:
    clients = BURST if interleaving == "bursts" else CLIENTS
    history = register(kind, calls, interleaving=interleaving, clients=clients)
    table = history.table()
    del history
    by = model(kind.model)
    measured = repeated(lambda weigh: search(table, by, time_s=limit_s, weigh=weigh), not kind.bad)
    return Row(kind, calls, measured, table.bytes / calls)


def line(rows: list[Row]) -> str:
    last = rows[-1]
    seconds = [row.measured.took_s for row in rows]
    return (
        f"{last.kind!s:<30}"
        + "".join(f"{s:>10.4f}" for s in seconds)
        + f"{slope([row.calls for row in rows], seconds):>7.2f}"
        f"{last.calls / last.measured.took_s / 1e6:>8.2f}"
        f"{last.measured.peak_mb:>7.1f}{last.bytes_per_call:>6.0f}  {last.measured}"
    )


def claims(rows: list[Row]) -> None:
    """Each claim beside the worst that was measured."""
    largest = max(row.calls for row in rows)
    slopes = [
        slope([r.calls for r in mine], [r.measured.took_s for r in mine])
        for mine in ([row for row in rows if row.kind == kind] for kind in KINDS)
        if len(mine) > 1
    ]
    easy = [r for r in rows if not r.kind.bad and r.kind.unknown <= 0.01 and r.calls == largest]
    million = [row.measured.took_s for row in rows if row.calls == 1_000_000]
    valid = [r.measured.took_s for r in rows if r.calls == 10_000_000 and not r.kind.bad]
    print("\nclaim, and the worst that was measured")
    if slopes:
        print(f"  slope at most {SLOPE_MAX}: {max(slopes):.2f}")
    if easy:
        rate = min(row.calls / row.measured.took_s for row in easy)
        print(
            f"  valid, unknown at most 1 %, at least {RATE_MIN / 1e6:g} Mops/s: {rate / 1e6:.2f}"
            f" at {largest:,}"
        )
    if million:
        print(f"  10^6 of any kind in at most {MILLION_S:g} s: {max(million):.2f}")
    if valid:
        print(f"  10^7 valid in at most {TEN_MILLION_S:g} s: {max(valid):.2f}")
    print(f"  search at most {BEYOND_MB:g} MB: {max(row.measured.peak_mb for row in rows):.1f}")
    held = max(row.bytes_per_call for row in rows if row.calls == largest)
    print(f"  history at most {BYTES_PER_OPERATION:g} bytes an operation: {held:.0f}")
    undecided = sum(row.measured.linearizable is None for row in rows)
    print(f"  undecided within the limit: {undecided} of {len(rows)}")


if __name__ == "__main__":
    main()
