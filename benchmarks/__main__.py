"""The benchmarks that take a minute or less, one table after another: python -m benchmarks.

Left to be asked for by name: `schedulers` and `mutants` (hours; the first has --quick), `soak` and
`aborts`, and those of the engine, which want a machine of their own.
"""

from __future__ import annotations

from benchmarks import (
    check_keys,
    dispatch,
    exploration,
    hosts,
    maelstrom,
    overhead,
    pytest_plugin,
    reference,
    report,
    runner,
    serve,
    simulation,
    switch,
)

for benchmark in (
    dispatch,
    check_keys,
    reference,
    overhead,
    simulation,
    exploration,
    hosts,
    runner,
    switch,
    maelstrom,
    report,
    serve,
    pytest_plugin,
):
    print(f"== {benchmark.__name__.split('.')[-1]}: {(benchmark.__doc__ or '').splitlines()[0]}\n")
    benchmark.main()
    print()
