"""The steps of stage 1 that run in parallel: survey documents, choose passages for a language model, degrade.

Each step is a function of one batch and runs in worker processes or in this one. The results keep the order of the
batches, so the output does not depend on the number of workers.
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
from degraders.text.dialects import AUTO, DIALECTS
from degraders.text.document import Region, Unit
from degraders.text.parse import parse
from degraders.text.units import divide

UNITS = ("section", "document")
ACCEPTED = "accepted"
"""The outcome of a rewrite that becomes part of a record; any other is the reason of its rejection."""

_SLACK = 1.2
"""The limit of a unit, as a multiple of the length it is to have: units consist of whole blocks, which fill a limit to
five sixths on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """The settings of a run, as plain values that can be sent to a worker process.

    `degraders` are names. `keep_disabled` keeps those that the profile disables, with the weights that they declare.
    `dialect` is that of `parse`. `severity`, `identity_rate`, `single_fault_rate`, `allow_lossy` and `classes` are
    those of a `Plan`. Without `max_chars`, units are as long as the texts of the profile. `llm` is None in a run
    without a language model.
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
    dialect: str = AUTO
    keep_disabled: bool = False
    llm: RewriteSettings | None = None
    max_units: int | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit {self.unit!r} is not one of {', '.join(UNITS)}")
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect {self.dialect!r} is not one of {', '.join(DIALECTS)}")
        if self.n_per_doc < 1 or self.max_bytes < 1 or self.min_words < 0:
            raise ValueError("n_per_doc and max_bytes are at least 1, min_words at least 0")
        if (self.max_chars is not None and self.max_chars < 1) or (self.max_units is not None and self.max_units < 1):
            raise ValueError("max_chars and max_units are at least 1, or None")
        make_plan(self)  # a value that a Plan refuses is an error here, not in a worker


@cache
def make_plan(settings: PipelineSettings) -> Plan:
    """The plan of these settings; each process makes it once."""
    profile = settings.profile
    return Plan(
        degraders=profile.weighted_degraders(select(settings.degraders), keep_disabled=settings.keep_disabled),
        seed=settings.seed,
        severity=settings.severity,
        identity_rate=settings.identity_rate,
        single_fault_rate=settings.single_fault_rate,
        allow_lossy=settings.allow_lossy,
        counts=profile.counts,
        repeat_rate=profile.repeat_rate,
        classes=settings.classes,
    )


@dataclass(frozen=True, slots=True)
class SurveyedDocument:
    """A document's id, the signature that its near-copies share, the digest of its text, and its size in bytes."""

    doc_id: str
    signature: bytes
    digest: bytes
    size: int


@dataclass(slots=True)
class RecordBatch:
    """The records of some documents as JSON lines, with counts of units, records, errors and rejects."""

    lines: bytes = b""
    counts: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    rewrites: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def add_warning(self, where: str, error: Exception) -> None:
        """Report an internal error of this tool on some text."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.warnings.append(f"{where}: {error!r} at {Path(last.filename).name}:{last.lineno}; please report it")

    def add_counts(self, other: RecordBatch) -> None:
        """Add the counts and warnings of another batch, but not its lines."""
        self.warnings += other.warnings
        for name in ("counts", "families", "labels", "classes", "splits", "rejects", "rewrites"):
            getattr(self, name).update(getattr(other, name))


class SurveyStep:
    """Reads documents and computes their signatures, so that near-copies can be detected before documents are split."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def __call__(self, jobs: Sequence[Job]) -> list[SurveyedDocument | Skip]:
        return [_survey(load_document(job, max_bytes=self.max_bytes)) for job in jobs]


def _survey(source: Source | Skip) -> SurveyedDocument | Skip:
    if isinstance(source, Skip):
        return source
    data = source.text.encode("utf-8", "surrogatepass")
    return SurveyedDocument(
        doc_id=source.doc_id,
        signature=near_copy_signature(source.text),
        digest=blake2b(data, digest_size=16).digest(),
        size=len(data),
    )


class _UnitStep:
    """A step that works on the units of documents."""

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        limits = tuple(round(_SLACK * size) for size in settings.profile.sizes)
        self.max_chars = (settings.max_chars,) if settings.max_chars else limits
        self.longest_block = 8 * max(self.max_chars)

    def _divide(self, source: Source) -> list[Unit]:
        doc = parse(source.text, doc_id=source.doc_id, format=source.format, dialect=self.settings.dialect)
        return divide(doc, unit=self.settings.unit, max_chars=self.max_chars)[: self.settings.max_units]

    def _rejection_reason(self, unit: Unit) -> str:
        """Why a unit is not degraded; "" if it is."""
        if self.settings.unit == "section" and unit.end - unit.start > self.longest_block:
            return f"unit: a block of over {self.longest_block:,} characters"
        if len(unit.words.texts) < self.settings.min_words:
            return f"unit: under {self.settings.min_words} words of prose"
        return ""


class PassageStep(_UnitStep):
    """The requests to a language model for a batch of documents, before any document is degraded."""

    def __call__(self, jobs: Sequence[Job]) -> list[RewriteRequest]:
        return [request for job in jobs for request in self._requests(job)]

    def _requests(self, job: Job) -> Iterator[RewriteRequest]:
        source, llm = load_document(job, max_bytes=self.settings.max_bytes), self.settings.llm
        if isinstance(source, Skip) or not llm:
            return
        try:
            for unit in self._divide(source):
                if self._rejection_reason(unit):
                    continue
                degradation = Degradation(unit, make_plan(self.settings))
                for number in range(self.settings.n_per_doc):
                    passage = draw_request(unit, number, llm, self.settings.seed)
                    if passage and not degradation.is_identity(number):
                        yield passage[0]
        except Exception:  # the step that degrades the document reports it
            return


def draw_request(unit: Unit, number: int, llm: RewriteSettings, seed: int) -> tuple[RewriteRequest, Region] | None:
    """The request for one variant of a unit, and the region of its passage; None for most variants."""
    draw = Draw(seed, "llm", unit.doc.doc_id, unit.index, number)
    return choose_passage(unit, draw, llm.problems) if draw.chance(llm.share) else None


class DegradeStep(_UnitStep):
    """Degrades batches of (job, split)."""

    def __call__(self, jobs: Sequence[tuple[Job, str]]) -> RecordBatch:
        plan = make_plan(self.settings)
        batch = RecordBatch()
        lines: list[bytes] = []
        for job, split in jobs:
            source = load_document(job, max_bytes=self.settings.max_bytes)
            if isinstance(source, Skip):
                batch.rejects["document: changed during the run"] += 1
                continue
            lines += self._degrade_document(source, split, plan, batch)
        batch.lines = b"".join(lines)
        return batch

    def _degrade_document(self, source: Source, split: str, plan: Plan, batch: RecordBatch) -> Iterator[bytes]:
        """The JSON lines of a document; counts go to the batch."""
        try:
            units = self._divide(source)
        except Exception as error:  # an error on one document must not end the run
            batch.add_warning(source.doc_id, error)
            batch.rejects["document: internal error"] += 1
            return
        for unit in units:
            batch.counts["units"] += 1
            reason = self._rejection_reason(unit)
            variants = None if reason else self._make_variants(unit, plan, batch)
            if variants is None:
                batch.rejects[reason or "unit: internal error"] += 1
            else:
                yield from self._make_lines(unit, variants, split, batch)

    def _make_variants(self, unit: Unit, plan: Plan, batch: RecordBatch) -> list[Variant | None] | None:
        """The variants of a unit; None, and a warning, if a degrader fails on it."""
        degradation = Degradation(unit, plan)
        try:
            return [self._make_variant(degradation, number, batch) for number in range(self.settings.n_per_doc)]
        except Exception as error:  # an error on one unit must not end the run
            batch.add_warning(f"{unit.doc.doc_id}, unit {unit.index}", error)
            return None

    def _make_variant(self, degradation: Degradation, number: int, batch: RecordBatch) -> Variant | None:
        """A variant; it contains a language model's rewrite if one is drawn and accepted."""
        unit, llm = degradation.unit, self.settings.llm
        passage = draw_request(unit, number, llm, self.settings.seed) if llm else None
        if not passage or not llm or degradation.is_identity(number):
            return degradation.variant(number)
        request, region = passage
        answer = _open_rewriter(llm).rewrite(request)
        fault, reason = (None, "no answer") if answer is None else accept(unit, region, request, answer)
        if fault:
            item = get_problem(request.problem).degrader
            variant = degradation.variant(number, PresetFault(item, fault, alone=request.problem == LEARNED))
            if variant and any(error.degrader is item for error in variant.errors):
                batch.rewrites[f"{request.problem}: {ACCEPTED}"] += 1
                return variant
            reason = "good text cannot be recovered"
        batch.rewrites[f"{request.problem}: {reason}"] += 1
        return degradation.variant(number)

    def _make_lines(
        self, unit: Unit, variants: list[Variant | None], split: str, batch: RecordBatch
    ) -> Iterator[bytes]:
        """The JSON lines of a unit's variants; counts go to the batch."""
        bad_texts: set[str] = set()
        batch.counts["units kept"] += 1
        for number, variant in enumerate(variants):
            if variant is None:
                batch.rejects["variant: no place for an error"] += 1
            elif variant.bad in bad_texts:
                batch.rejects["variant: same as another of its unit"] += 1
            else:
                bad_texts.add(variant.bad)
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


def _open_rewriter(llm: RewriteSettings) -> Rewriter:
    return open_cache(llm.cache, llm.signature) if llm.cache else Stub()
