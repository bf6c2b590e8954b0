"""What of a run is not load: the seconds of each step from the first import to the exit.

    python -m benchmarks.overhead [--time-limit 30] [--seed 1]

The claim is that everything but the load takes less than 8 s. The steps are read from run.log.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta

from benchmarks import command
from harness.clock import utc_now

CLAIM_S = 8.0
LOAD = "the load begins"

# What run.log says when a step begins.
STEPS = (
    ("starting", "start the nodes, until all are ready"),
    (LOAD, "load and faults, until all is healed"),
    ("recovery", "recovery"),
    ("final reads", "final reads"),
    ("stopping", "stop the nodes, put their traces together"),
    ("judging", "check"),
    ("drawing", "draw the report"),
    ("done", "exit"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--time-limit", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = utc_now()
    with command.place(None) as place:
        ran = command.run(place, ["--seed", str(given.seed)], given.time_limit)
        steps = measured(began, ran)
    rest_s = ran.took_s - given.time_limit
    for name, took_s in steps:
        print(f"{name:<46} {took_s:6.2f} s")
    print(
        f"\n{ran.outcome}, {ran.took_s:.1f} s, of which not load {rest_s:.2f} s: "
        f"{rest_s / CLAIM_S:.2f}x of the claim"
    )


def measured(began: datetime, ran: command.Ran) -> list[tuple[str, float]]:
    """Steps and their seconds. Raises ValueError where the run did not go through all of them."""
    if ran.folder is None:
        raise ValueError(f"the run left no folder:\n{ran.said}")
    moments = [(began, "import, heal what was left, make the folder")]
    for line in ran.folder.log.read_text().splitlines():
        step = next((step for mark, step in STEPS if mark in line), None)
        if step is not None:
            moments.append((_moment(line), step))
    if len(moments) != len(STEPS) + 1:
        raise ValueError(f"the run did not go through every step:\n{ran.said}")
    ends = [moment for moment, _ in moments[1:]] + [began + timedelta(seconds=ran.took_s)]
    return [
        (step, (end - moment).total_seconds())
        for (moment, step), end in zip(moments, ends, strict=True)
    ]


def _moment(line: str) -> datetime:
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").astimezone()


if __name__ == "__main__":
    main()
