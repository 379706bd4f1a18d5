"""A pool of worker processes that keeps the order of its results."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import TypeVar

from degraders.errors import UserError

A = TypeVar("A")
B = TypeVar("B")
_WORK_AHEAD = 3


def batch_by_size(items: Iterable[A], size: Callable[[A], int], *, most: int = 200_000) -> Iterator[list[A]]:
    """The items in lists of about `most` bytes, so that every worker has its share of small inputs too."""
    batch: list[A] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= most:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


@contextmanager
def worker_pool(count: int) -> Iterator[Callable[[Callable[[A], B], Iterable[A]], Iterator[B]]]:
    """A map over `count` processes that keeps the order and never works far ahead; in this process for 1."""
    gc.disable()  # documents hold no cycles, and looking for some takes a tenth of the time
    if count == 1:
        yield map
        return
    executor = ProcessPoolExecutor(count, initializer=_start_worker)
    try:
        yield lambda function, items: _ordered(executor, function, items, count * _WORK_AHEAD)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """No worker outlives a parent that was killed."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _ordered(executor: ProcessPoolExecutor, function: Callable[[A], B], items: Iterable[A], ahead: int) -> Iterator[B]:
    pending: deque[Future[B]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise UserError("a worker process died, perhaps for want of memory; try a smaller --workers") from error
