"""All benchmarks, one table after another: python -m benchmarks."""

from __future__ import annotations

from benchmarks import check_keys, dispatch, overhead, reference

for benchmark in (dispatch, check_keys, reference, overhead):
    print(f"== {benchmark.__name__.split('.')[-1]}: {(benchmark.__doc__ or '').splitlines()[0]}\n")
    benchmark.main()
    print()
