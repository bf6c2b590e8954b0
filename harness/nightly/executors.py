"""Who carries out: threads of this process, or the workers of Dask. Both are executors of
concurrent.futures, and are handed the same functions.

Rules
1. An executor takes more tasks than it has workers, so that none waits for the next.
2. Dask runs a task again whose worker died, and gives up (KilledWorker) when its scheduler's
   `allowed-failures` are exceeded: no result is lost, and what a task kills is not tried for ever.
3. What Dask was handed cannot be taken back without losing what has begun: its workers are told
   instead that the night is over, and answer what they have at hand without beginning with it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

from harness.contracts import EnvironmentTrouble
from harness.nightly import carrying, processes
from harness.trial import TrialError

T = TypeVar("T")
S = TypeVar("S")
CONNECT_LIMIT_S = 20
_AGAIN_S = 0.2


class Executor(Protocol):
    """`slots`: how many tasks it carries out at once; it may change."""

    @property
    def slots(self) -> int: ...

    def submit(self, work: Callable[[S], T], task: S) -> Future[T]: ...

    def recall(self, future: Future[Any]) -> bool:
        """Take a task back that has not begun; False where it has, or nobody knows."""
        ...

    def begin_no_more(self, night: str) -> None:
        """Let no run of this night begin any more, wherever it waits. Idempotent; workers that come
        later hear it from the next call."""
        ...

    def trouble(self) -> str:
        """Why it can carry out nothing any more; empty as long as it can."""
        ...

    def close(self) -> None:
        """End what goes on, and every process that was started. Idempotent."""
        ...


class Here:
    """Threads of this process, each with a child process of its own (see carrying)."""

    def __init__(self, workers: int | None = None) -> None:
        self.slots = workers or cores()
        self._futures: set[Future[Any]] = set()
        self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix="night")

    def submit(self, work: Callable[[S], T], task: S) -> Future[T]:
        future = self._threads.submit(work, task)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def recall(self, future: Future[Any]) -> bool:
        return future.cancel()

    def begin_no_more(self, night: str) -> None:
        carrying.begin_no_more(night)

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        processes.end_all()
        while wait(set(self._futures), timeout=_AGAIN_S).not_done:
            processes.end_all()  # a thread may have begun with its next run
        self._threads.shutdown()
        processes.put_away()


class OnDask:
    """Dask's workers: of the scheduler at an address ('tcp://host:8786'), or with 'local' as many
    processes as asked for on this machine. Raises TrialError where Dask is not installed,
    EnvironmentTrouble where the scheduler does not answer."""

    def __init__(self, address: str, workers: int | None = None) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise TrialError(["--dask needs Dask: pip install 'antipaxos[distributed]'"])
        from distributed import Client, LocalCluster

        self._closed = contextlib.ExitStack()
        self._client: Any
        self._saying: threading.Thread | None = None
        try:
            where: Any = address
            if address == "local":
                where = self._closed.enter_context(
                    LocalCluster(  # type: ignore[no-untyped-call]
                        n_workers=workers or cores(),
                        threads_per_worker=1,
                        dashboard_address=None,
                        silence_logs=50,
                    )
                )
            self._client = self._closed.enter_context(
                Client(where, timeout=CONNECT_LIMIT_S, set_as_default=False)  # type: ignore[no-untyped-call]
            )
        except (OSError, ValueError, TypeError) as wrong:
            self._closed.close()
            raise EnvironmentTrouble(
                f"no scheduler of Dask answers at {address}: {wrong or type(wrong).__name__}. "
                "Start one with 'dask scheduler' and its workers with 'dask worker ADDRESS', or "
                "give --dask local."
            ) from wrong

        # Two runs of one seed are two runs; and it is us who say what is tried again.
        self._executor: Any = self._client.get_executor(pure=False, retries=0)

    @property
    def slots(self) -> int:
        if self.trouble():
            return 0
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(worker["nthreads"] for worker in known.values())

    def submit(self, work: Callable[[S], T], task: S) -> Future[T]:
        future: Future[T] = self._executor.submit(work, task)
        return future

    def recall(self, future: Future[Any]) -> bool:
        # Dask cancels what has begun, too: only where nobody could have begun it.
        return self.slots == 0 and future.cancel()

    def begin_no_more(self, night: str) -> None:
        # A worker that does not answer must not hold up the night's end.
        if self.trouble() == "" and (self._saying is None or not self._saying.is_alive()):
            self._saying = threading.Thread(target=self._say_over, args=(night,), daemon=True)
            self._saying.start()

    def _say_over(self, night: str) -> None:
        # It is said in the workers' event loops, beside the runs that occupy their threads.
        with contextlib.suppress(OSError, TimeoutError, CancelledError):  # it has gone meanwhile
            self._client.run(carrying.begin_no_more, night, on_error="ignore")

    def trouble(self) -> str:
        return "" if self._client.status in ("running", "connecting") else "its scheduler is gone"

    def close(self) -> None:
        if self.trouble() == "":
            self._executor.shutdown(wait=False)
            with contextlib.suppress(OSError, TimeoutError):  # it has gone meanwhile
                self._client.run(processes.end_all, on_error="ignore")
        self._closed.close()


def cores() -> int:
    """All that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
