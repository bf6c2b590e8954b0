"""The report of a large history: how long it takes, how heavy it is, how smoothly it moves.

    python -m benchmarks.report [--million] [--no-browser]

100,000 operations are to be drawn in under 5 s and 6 MB, to be painted within 1.5 s, and to move at
30 frames a second or better; a million may take longer.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

from benchmarks.measure import MB
from checkers.history import Error, Operation
from harness import drawing, recheck
from harness.clock import NS_PER_S, monotonic_ns
from harness.recheck import Asked

ASKED = Asked(model_name="cas-register", drawn=True, threads=2)
CLIENTS, PER_KEY, FAULTS = 10, 100, 20
WRITE_S_MAX, SIZE_MB_MAX, PAINT_S_MAX, FRAMES_MIN = 5.0, 6.0, 1.5, 30.0

# Frames while the wheel turns, as the page itself counts them.
_FRAMES = """
([seconds, shift]) => new Promise((done) => {
  const canvas = document.getElementById("tl-canvas");
  canvas.scrollIntoView();
  const box = canvas.getBoundingClientRect();
  const began = performance.now();
  let frames = 0;
  const frame = (now) => {
    frames += 1;
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaY: (frames % 40 < 20 ? -60 : 60), shiftKey: shift, ctrlKey: !shift, bubbles: true,
      cancelable: true, clientX: box.x + box.width * 0.6, clientY: box.y + box.height / 2,
    }));
    if (now - began > seconds * 1000) done(frames / ((now - began) / 1000));
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})
"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"


def operations(count: int, seed: int = 1) -> Iterator[Operation]:
    """Calls of a correct register that overlap; one read, late in it, of a value nobody wrote."""
    rng = Random(seed)
    free, pending = list(range(CLIENTS)), []
    values: dict[str, int | None] = {}
    index = time = begun = broken = 0
    wrong = True
    while begun < count or pending:
        time += rng.randrange(20_000, 200_000)
        if begun * 2 * FAULTS >= broken * count and begun < count:
            for operation in _nemesis(broken, index, time):
                yield operation
                index += 1
            broken += 1
        if begun < count and free and (not pending or rng.random() < 0.5):
            process, key = free.pop(rng.randrange(len(free))), f"r{begun // PER_KEY}"
            f = rng.choice(("read", "write", "cas"))
            few = (rng.randrange(5), rng.randrange(5))
            value = {"read": None, "write": few[0], "cas": list(few)}[f]
            call = Operation(index, time, process, "invoke", f, value, key, f"n{process % 5 + 1}")
            pending.append(call)
            begun += 1
            yield call
        else:
            call = pending.pop(rng.randrange(len(pending)))
            free.append(int(call.process))
            done = _completed(call, values, index, time)
            if wrong and call.f == "read" and begun > count * 0.7:
                done, wrong = msgspec.structs.replace(done, value=99), False
            yield done
        index += 1


def _nemesis(step: int, index: int, time: int) -> Iterator[Operation]:
    """Partitions, each undone before the next."""
    value = {"id": step // 2, "intended": {"fault": "partition"}}
    applied = {"fault": "partition", "links": [["n1", "n2"], ["n2", "n1"]]}
    after = {**value, "applied": applied, "observed": {"cut": True}, "in_effect": True}
    f = "heal" if step % 2 else "partition"
    yield Operation(index, time, "nemesis", "info", f, value)
    yield Operation(index + 1, time, "nemesis", "info", f, after)


def _completed(call: Operation, values: dict[str, int | None], index: int, time: int) -> Operation:
    now = values.get(call.key)
    done = msgspec.structs.replace(call, index=index, time=time, type="ok")
    if call.f == "read":
        return msgspec.structs.replace(done, value=now)
    if call.f == "write":
        values[call.key] = call.value
    elif call.value[0] != now:
        return msgspec.structs.replace(done, type="fail", error=Error("compare-failed"))
    else:
        values[call.key] = call.value[1]
    return done


def measure(count: int, folder: Path, *, browser: bool) -> None:
    path, page = folder / "history.jsonl", folder / "report.html"
    with path.open("wb") as file:
        encoder = msgspec.json.Encoder()
        file.writelines(encoder.encode(operation) + b"\n" for operation in operations(count))
    began_ns = monotonic_ns()
    judged = recheck.check(path, ASKED)
    judged_ns = monotonic_ns()
    assert "invalid" == judged.verdict.kind
    drawing.put(page, drawing.page(judged, drawing.subject_of(path, judged, ASKED)).encode())
    drawn_ns = monotonic_ns()
    print(f"{count:,} operations, {path.stat().st_size / MB:.0f} MB of history")
    print(f"  read, judged   {(judged_ns - began_ns) / NS_PER_S:8.2f} s")
    print(
        f"  drawn, written {(drawn_ns - judged_ns) / NS_PER_S:8.2f} s   (at most {WRITE_S_MAX:g})"
    )
    print(f"  page           {page.stat().st_size / MB:8.2f} MB  (at most {SIZE_MB_MAX:g})")
    if browser:
        _in_browser(page)


def _in_browser(page: Path) -> None:
    from tests.harness.browser import chromium, opened

    with chromium() as started, opened(started, page.as_uri()) as watched:
        painted_s = watched.page.evaluate(_PAINTED)
        zoom = watched.page.evaluate(_FRAMES, [3, False])
        pan = watched.page.evaluate(_FRAMES, [3, True])
        assert [] == watched.errors
    print(f"  first paint    {painted_s:8.2f} s   (at most {PAINT_S_MAX:g})")
    print(f"  zoom           {zoom:8.1f} frames a second (at least {FRAMES_MIN:g})")
    print(f"  pan            {pan:8.1f} frames a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--million", action="store_true", help="draw a million, too")
    parser.add_argument("--no-browser", action="store_true")
    given, _ = parser.parse_known_args()
    for count in (100_000, *([1_000_000] if given.million else [])):
        with tempfile.TemporaryDirectory() as folder:
            measure(count, Path(folder), browser=not given.no_browser)


if __name__ == "__main__":
    main()
