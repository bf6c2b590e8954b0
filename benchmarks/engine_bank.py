"""Bank transfers: five accounts, ten clients, half of all calls read every balance.

    python -m benchmarks.engine_bank [calls [calls with 2 % unknown]]

Transfers commute and totals are read back exactly, so what is unknown has to be tried in subsets.
Claims: 10,000 calls under 0.1 s, valid or not; 2,500 of which 2 % are unknown under 15 s and
200 MB, or unknown for a reason that is named.
"""

from __future__ import annotations

import sys

from benchmarks.measure import need_engine, repeated, search
from benchmarks.objects import ACCOUNTS, BALANCE, simulate
from checkers.models import model

CLAIM_S, UNKNOWN_CLAIM_S, MEMORY = 0.1, 15.0, 200_000_000


def main() -> None:
    need_engine()
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    some = int(sys.argv[2]) if len(sys.argv) > 2 else 2_500
    print(f"{'calls':>8}{'unknown':>9}{'':>5}{'seconds':>10}{'MB':>8}{'of claim':>10}  verdict")
    bank = model("bank", {"accounts": ACCOUNTS, "balance": BALANCE})
    for count, unknown, claim_s in ((calls, 0.0, CLAIM_S), (some, 0.02, UNKNOWN_CLAIM_S)):
        for bad in (False, True):
            for seed in (7, 8, 9):
                history = simulate("bank", count, unknown=unknown, bad=bad, seed=seed)
                table = history.table()
                found = repeated(
                    lambda weigh, table=table, claim_s=claim_s: search(  # type: ignore[misc]
                        table, bank, time_s=max(claim_s, 5), memory=MEMORY, weigh=weigh
                    ),
                    not bad,
                )
                print(
                    f"{count:>8,}{unknown:>9.0%}{'bad' if bad else '':>5}{found.took_s:>10.4f}"
                    f"{found.peak_mb:>8.1f}{found.took_s / claim_s:>9.2f}x  {found}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
