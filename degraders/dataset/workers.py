"""A pool of worker processes that returns results in the order of their inputs."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, parent_process
from typing import Protocol, TypeVar

from degraders.errors import UserError

A = TypeVar("A")
B = TypeVar("B")
_BATCHES_AHEAD = 3
"""Batches that are submitted per worker before their results are consumed."""
_SIGNAL_SECONDS = 1.0
"""A signal to all processes may reach a worker first: for this long, the parent waits for it before it reports."""


def batch_by_size(items: Iterable[A], size: Callable[[A], int], *, batch_bytes: int = 200_000) -> Iterator[list[A]]:
    """The items in lists of about `batch_bytes`, small enough that small inputs, too, are divided among the workers."""
    batch: list[A] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= batch_bytes:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


class OrderedMap(Protocol):
    """The results of a function on all items, in the order of the items."""

    def __call__(self, function: Callable[[A], B], items: Iterable[A], /) -> Iterator[B]: ...


@contextmanager
def worker_pool(count: int) -> Iterator[OrderedMap]:
    """A `map` over `count` processes that keeps the order and never works far ahead; in this process for 1.

    If the block ends with an exception, the workers end at once. The garbage collector is off inside the block:
    documents hold no cycles, and the search for cycles would take a tenth of the time.
    """
    executor = ProcessPoolExecutor(count, initializer=_start_worker) if count > 1 else None
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        if executor:
            yield partial(_map_ordered, executor, ahead=count * _BATCHES_AHEAD)
        else:
            yield map
    except BaseException:
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        if executor:
            executor.shutdown(wait=True, cancel_futures=True)
        if was_enabled:
            gc.enable()


def _start_worker() -> None:
    """Let Ctrl-C, which a terminal sends to all processes, be the parent's to handle, and end at other signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(number, signal.SIG_DFL)
    gc.disable()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent ends, even if the parent was killed."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _map_ordered(
    executor: ProcessPoolExecutor, function: Callable[[A], B], items: Iterable[A], *, ahead: int
) -> Iterator[B]:
    pending: deque[Future[B]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        time.sleep(_SIGNAL_SECONDS)
        raise UserError("a worker process died, perhaps because memory ran out; try a smaller --workers") from error
