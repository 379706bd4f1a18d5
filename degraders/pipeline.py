"""The work of stage 1 that can be shared out: surveying documents, then degrading them, batch by batch.

Both steps are functions of one batch, run in worker processes or in this one; results come back in order, so the
output is the same whatever the number of workers.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from multiprocessing import parent_process
from pathlib import Path
from typing import TypeVar

import orjson

from degraders.asking import Asked, looked_up
from degraders.document import Region, Unit, parse, units
from degraders.draw import Draw
from degraders.engine import Degradation, Given, Plan, Variant
from degraders.errors import UserError
from degraders.llm import Stub
from degraders.profiles import Profile
from degraders.records import record
from degraders.registry import select
from degraders.rewriting import LEARNED, Request, Rewriter, drawn, problem_of, taken
from degraders.sources import Job, Skip, Source, load
from degraders.splits import signature

A = TypeVar("A")
B = TypeVar("B")
_WORK_AHEAD = 3
_ROOM = 1.2
"""How much longer the limit of a unit is than the unit shall be: blocks are whole, and fill a limit by five sixths."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker must know; plain values, so that it travels to another process.

    `asked` says that the degraders were named, so that none is off; without `max_chars` units are as long as the texts
    of the profile; `llm` is what is asked of a language model, if anything.
    """

    degraders: tuple[str, ...]
    seed: int
    severity: float | None
    identity_rate: float
    single_fault_rate: float | None
    allow_lossy: bool
    classes: str
    unit: str
    max_chars: int | None
    min_words: int
    n_per_doc: int
    max_bytes: int
    profile: Profile
    asked: bool = False
    llm: Asked | None = None
    max_units: int | None = None


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A document before any work on it: its identity, what its near-copies share, and a digest of its text."""

    doc_id: str
    signature: bytes
    digest: bytes
    size: int


@dataclass(slots=True)
class Batch:
    """The records of some documents as JSON lines, with what was counted on the way."""

    lines: bytes = b""
    counts: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    rewrites: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def fault(self, where: str, error: Exception) -> None:
        """Note an error of this tool's own on some text."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.warnings.append(f"{where}: {error!r} at {Path(last.filename).name}:{last.lineno}; please report it")

    def count(self, other: Batch) -> None:
        """Add the counts of another batch to these; its lines are left."""
        self.warnings += other.warnings
        for name in ("counts", "families", "labels", "classes", "splits", "rejects", "rewrites"):
            getattr(self, name).update(getattr(other, name))


class Survey:
    """Reads documents and signs them, so that near-copies can be found before anything is split."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def __call__(self, jobs: Sequence[Job]) -> list[Surveyed | Skip]:
        return [self._surveyed(load(job, max_bytes=self.max_bytes)) for job in jobs]

    def _surveyed(self, source: Source | Skip) -> Surveyed | Skip:
        if isinstance(source, Skip):
            return source
        raw = source.text.encode("utf-8", "surrogatepass")
        return Surveyed(source.doc_id, signature(source.text), blake2b(raw, digest_size=16).digest(), len(raw))


class _Units:
    """The units of documents, those that are fit to be degraded and those that are not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        room = (round(_ROOM * size) for size in settings.profile.sizes)
        self.sizes = (settings.max_chars,) if settings.max_chars else tuple(room)
        self.longest = 8 * max(self.sizes)

    def _units(self, source: Source) -> list[Unit]:
        doc = parse(source.text, doc_id=source.doc_id, format=source.format)
        return units(doc, unit=self.settings.unit, max_chars=self.sizes)[: self.settings.max_units]

    def _unfit(self, unit: Unit) -> str | None:
        if self.settings.unit == "section" and unit.end - unit.start > self.longest:
            return f"unit: a block of over {self.longest:,} characters"
        if len(unit.words.texts) < self.settings.min_words:
            return f"unit: under {self.settings.min_words} words of prose"
        return None


class Passages(_Units):
    """What a language model is to be asked about documents, before any of them is degraded."""

    def __call__(self, jobs: Sequence[Job]) -> list[Request]:
        return [request for job in jobs for request in self._requests(job)]

    def _requests(self, job: Job) -> Iterator[Request]:
        source, llm = load(job, max_bytes=self.settings.max_bytes), self.settings.llm
        if isinstance(source, Skip) or not llm:
            return
        try:
            for unit in self._units(source):
                degradation = Degradation(unit, _plan(self.settings)) if not self._unfit(unit) else None
                for number in range(self.settings.n_per_doc if degradation else 0):
                    found = passage(unit, number, llm, self.settings.seed)
                    if found and degradation and not degradation.is_identity(number):
                        yield found[0]
        except Exception:  # the odd text is reported when it is degraded
            return


def passage(unit: Unit, number: int, llm: Asked, seed: int) -> tuple[Request, Region] | None:
    """What is asked for one variant of a unit, and its place; None for most variants."""
    draw = Draw(seed, "llm", unit.doc.doc_id, unit.index, number)
    return drawn(unit, draw, llm.problems) if draw.chance(llm.share) else None


class Degrade(_Units):
    """Degrades batches of (job, split)."""

    def __call__(self, jobs: Sequence[tuple[Job, str]]) -> Batch:
        plan = _plan(self.settings)
        batch = Batch()
        lines: list[bytes] = []
        for job, split in jobs:
            source = load(job, max_bytes=self.settings.max_bytes)
            if isinstance(source, Skip):
                batch.rejects["changed while it was read"] += 1
                continue
            lines += self._document(source, split, plan, batch)
        batch.lines = b"".join(lines)
        return batch

    def _document(self, source: Source, split: str, plan: Plan, batch: Batch) -> Iterator[bytes]:
        try:
            found = self._units(source)
        except Exception as error:  # one odd text must not cost all the others
            batch.fault(source.doc_id, error)
            batch.rejects["document: a fault of this tool"] += 1
            return
        for unit in found:
            batch.counts["units"] += 1
            reason = self._unfit(unit)
            variants = None if reason else self._variants(unit, plan, batch)
            if variants is None:
                batch.rejects[reason or "unit: a fault of this tool"] += 1
            else:
                yield from self._lines(unit, variants, split, batch)

    def _variants(self, unit: Unit, plan: Plan, batch: Batch) -> list[Variant | None] | None:
        """The variants of a unit; None, and a warning, where a degrader fails on it."""
        degradation = Degradation(unit, plan)
        try:
            return [self._variant(degradation, number, batch) for number in range(self.settings.n_per_doc)]
        except Exception as error:  # as above
            batch.fault(f"{unit.doc.doc_id}, unit {unit.index}", error)
            return None

    def _variant(self, degradation: Degradation, number: int, batch: Batch) -> Variant | None:
        """A variant, with an error of a language model where one is drawn and its answer can be taken."""
        unit, llm = degradation.unit, self.settings.llm
        found = passage(unit, number, llm, self.settings.seed) if llm else None
        if not found or not llm or degradation.is_identity(number):
            return degradation.variant(number)
        request, place = found
        answer = _rewriter(llm).rewrite(request)
        fault, reason = (None, "not answered") if answer is None else taken(unit, place, request, answer)
        if fault:
            item = problem_of(request.problem).degrader
            variant = degradation.variant(number, Given(item, fault, alone=request.problem == LEARNED))
            if variant and any(error.degrader is item for error in variant.errors):
                batch.rewrites[f"{request.problem}: taken"] += 1
                return variant
            reason = "cannot be told from the text"
        batch.rewrites[f"{request.problem}: {reason}"] += 1
        return degradation.variant(number)

    def _lines(self, unit: Unit, variants: list[Variant | None], split: str, batch: Batch) -> Iterator[bytes]:
        made: set[str] = set()
        batch.counts["units kept"] += 1
        for number, variant in enumerate(variants):
            if variant is None:
                batch.rejects["variant: no error finds a place"] += 1
            elif variant.bad in made and not variant.identity:
                batch.rejects["variant: the same as another of its unit"] += 1
            else:
                made.add(variant.bad)
                batch.counts["records"] += 1
                batch.counts["identity pairs"] += variant.identity
                batch.counts["single-error records"] += len(variant.errors) == 1
                batch.splits[split] += 1
                for error in variant.errors:
                    batch.families[error.degrader.family] += 1
                    batch.labels[error.degrader.name] += 1
                    batch.classes[error.recoverable] += 1
                row = record(unit, variant, number=number, seed=self.settings.seed, split=split)
                yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _rewriter(llm: Asked) -> Rewriter:
    return looked_up(llm.cache, llm.signature) if llm.cache else Stub()


@cache
def _plan(settings: Settings) -> Plan:
    """The plan of some settings, made once a process."""
    profile = settings.profile
    return Plan(
        profile.weighted(select(settings.degraders), asked=settings.asked),
        settings.seed,
        settings.severity,
        settings.identity_rate,
        settings.single_fault_rate,
        settings.allow_lossy,
        profile.counts,
        profile.again,
        settings.classes,
    )


def batches(items: Iterable[A], size: Callable[[A], int], *, most: int = 200_000) -> Iterator[list[A]]:
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
def workers(count: int) -> Iterator[Callable[[Callable[[A], B], Iterable[A]], Iterator[B]]]:
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
