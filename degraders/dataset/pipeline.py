"""The work of stage 1 that can be shared out: surveying documents, then degrading them, batch by batch.

Both steps are functions of one batch, run in worker processes or in this one; results come back in order, so the
output is the same whatever the number of workers.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path

import orjson

from degraders.catalogue import select
from degraders.dataset.records import make_record
from degraders.dataset.sources import Job, Skip, Source, load_document
from degraders.dataset.splits import near_copy_signature
from degraders.draw import Draw
from degraders.engine import Degradation, Plan, PresetFault, Variant
from degraders.profiles import Profile
from degraders.rewrites.cache import open_cache
from degraders.rewrites.checks import accept
from degraders.rewrites.requests import LEARNED, Rewriter, RewriteRequest, RewriteSettings, choose_passage, get_problem
from degraders.rewrites.stub import Stub
from degraders.text.document import Region, Unit
from degraders.text.parse import parse
from degraders.text.units import divide

_ROOM = 1.2
"""How much longer the limit of a unit is than the unit shall be: blocks are whole, and fill a limit by five sixths."""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
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
    llm: RewriteSettings | None = None
    max_units: int | None = None


@dataclass(frozen=True, slots=True)
class SurveyedDocument:
    """A document before any work on it: its identity, what its near-copies share, and a digest of its text."""

    doc_id: str
    signature: bytes
    digest: bytes
    size: int


@dataclass(slots=True)
class RecordBatch:
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

    def count(self, other: RecordBatch) -> None:
        """Add the counts of another batch to these; its lines are left."""
        self.warnings += other.warnings
        for name in ("counts", "families", "labels", "classes", "splits", "rejects", "rewrites"):
            getattr(self, name).update(getattr(other, name))


class SurveyStep:
    """Reads documents and signs them, so that near-copies can be found before anything is split."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def __call__(self, jobs: Sequence[Job]) -> list[SurveyedDocument | Skip]:
        return [self._surveyed(load_document(job, max_bytes=self.max_bytes)) for job in jobs]

    def _surveyed(self, source: Source | Skip) -> SurveyedDocument | Skip:
        if isinstance(source, Skip):
            return source
        raw = source.text.encode("utf-8", "surrogatepass")
        return SurveyedDocument(
            source.doc_id, near_copy_signature(source.text), blake2b(raw, digest_size=16).digest(), len(raw)
        )


class _Units:
    """The units of documents, those that are fit to be degraded and those that are not."""

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        room = (round(_ROOM * size) for size in settings.profile.sizes)
        self.sizes = (settings.max_chars,) if settings.max_chars else tuple(room)
        self.longest = 8 * max(self.sizes)

    def _units(self, source: Source) -> list[Unit]:
        doc = parse(source.text, doc_id=source.doc_id, format=source.format)
        return divide(doc, unit=self.settings.unit, max_chars=self.sizes)[: self.settings.max_units]

    def _unfit(self, unit: Unit) -> str | None:
        if self.settings.unit == "section" and unit.end - unit.start > self.longest:
            return f"unit: a block of over {self.longest:,} characters"
        if len(unit.words.texts) < self.settings.min_words:
            return f"unit: under {self.settings.min_words} words of prose"
        return None


class PassageStep(_Units):
    """What a language model is to be asked about documents, before any of them is degraded."""

    def __call__(self, jobs: Sequence[Job]) -> list[RewriteRequest]:
        return [request for job in jobs for request in self._requests(job)]

    def _requests(self, job: Job) -> Iterator[RewriteRequest]:
        source, llm = load_document(job, max_bytes=self.settings.max_bytes), self.settings.llm
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


def passage(unit: Unit, number: int, llm: RewriteSettings, seed: int) -> tuple[RewriteRequest, Region] | None:
    """What is asked for one variant of a unit, and its place; None for most variants."""
    draw = Draw(seed, "llm", unit.doc.doc_id, unit.index, number)
    return choose_passage(unit, draw, llm.problems) if draw.chance(llm.share) else None


class DegradeStep(_Units):
    """Degrades batches of (job, split)."""

    def __call__(self, jobs: Sequence[tuple[Job, str]]) -> RecordBatch:
        plan = _plan(self.settings)
        batch = RecordBatch()
        lines: list[bytes] = []
        for job, split in jobs:
            source = load_document(job, max_bytes=self.settings.max_bytes)
            if isinstance(source, Skip):
                batch.rejects["changed while it was read"] += 1
                continue
            lines += self._document(source, split, plan, batch)
        batch.lines = b"".join(lines)
        return batch

    def _document(self, source: Source, split: str, plan: Plan, batch: RecordBatch) -> Iterator[bytes]:
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

    def _variants(self, unit: Unit, plan: Plan, batch: RecordBatch) -> list[Variant | None] | None:
        """The variants of a unit; None, and a warning, where a degrader fails on it."""
        degradation = Degradation(unit, plan)
        try:
            return [self._variant(degradation, number, batch) for number in range(self.settings.n_per_doc)]
        except Exception as error:  # as above
            batch.fault(f"{unit.doc.doc_id}, unit {unit.index}", error)
            return None

    def _variant(self, degradation: Degradation, number: int, batch: RecordBatch) -> Variant | None:
        """A variant, with an error of a language model where one is drawn and its answer can be taken."""
        unit, llm = degradation.unit, self.settings.llm
        found = passage(unit, number, llm, self.settings.seed) if llm else None
        if not found or not llm or degradation.is_identity(number):
            return degradation.variant(number)
        request, place = found
        answer = _rewriter(llm).rewrite(request)
        fault, reason = (None, "not answered") if answer is None else accept(unit, place, request, answer)
        if fault:
            item = get_problem(request.problem).degrader
            variant = degradation.variant(number, PresetFault(item, fault, alone=request.problem == LEARNED))
            if variant and any(error.degrader is item for error in variant.errors):
                batch.rewrites[f"{request.problem}: taken"] += 1
                return variant
            reason = "cannot be told from the text"
        batch.rewrites[f"{request.problem}: {reason}"] += 1
        return degradation.variant(number)

    def _lines(self, unit: Unit, variants: list[Variant | None], split: str, batch: RecordBatch) -> Iterator[bytes]:
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
                row = make_record(unit, variant, number=number, seed=self.settings.seed, split=split)
                yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _rewriter(llm: RewriteSettings) -> Rewriter:
    return open_cache(llm.cache, llm.signature) if llm.cache else Stub()


@cache
def _plan(settings: PipelineSettings) -> Plan:
    """The plan of some settings, made once a process."""
    profile = settings.profile
    return Plan(
        profile.weighted_degraders(select(settings.degraders), keep_disabled=settings.asked),
        seed=settings.seed,
        severity=settings.severity,
        identity_rate=settings.identity_rate,
        single_fault_rate=settings.single_fault_rate,
        allow_lossy=settings.allow_lossy,
        counts=profile.counts,
        repeat_rate=profile.repeat_rate,
        classes=settings.classes,
    )
