"""The report on a run of stage 1: counts of everything read, kept and rejected, as a table and as a manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from degraders import __version__
from degraders.dataset.pipeline import ACCEPTED, PipelineSettings, RecordBatch, SurveyedDocument
from degraders.dataset.sources import Reason, Skip
from degraders.dataset.splits import SPLITS, SplitAssignment
from degraders.errors import UserError
from degraders.files import sha256_file
from degraders.manifest import build_manifest

_MAX_EXAMPLES = 50
_EXAMPLES_IN_TABLE = 5
_COUNTS = ("units", "units kept", "records", "identity pairs", "single-error records")
_PACKAGES = ("charset-normalizer", "orjson", "pyarrow", "pyromark", "rapidfuzz", "rensa")
"""Packages whose versions the manifest names: the records depend on them."""


class Report:
    """What happened to the input: every document and every unit is either kept or rejected with a reason."""

    def __init__(self, degraders: Sequence[str]) -> None:
        self.degraders = degraders
        self.signatures: list[tuple[str, bytes]] = []
        self.skips: Counter[str] = Counter()
        self.examples: list[str] = []
        self.other_endings = 0
        self.bytes = 0
        self.digest = hashlib.sha256()
        self.total = RecordBatch()
        self.requests: Counter[str] = Counter()

    def add_skip(self, skip: Skip) -> None:
        """Count a skipped document or file; keep the first ones as examples."""
        if skip.reason == Reason.OTHER_ENDING:
            self.other_endings += skip.count
            return
        self.skips[str(skip.reason)] += skip.count
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(f"{skip.where}: {skip.reason}{f' ({skip.detail})' if skip.detail else ''}")

    def add_survey(self, results: Iterable[SurveyedDocument | Skip]) -> None:
        """Count the documents of a batch, and keep their signatures."""
        for result in results:
            if isinstance(result, Skip):
                self.add_skip(result)
            else:
                self.signatures.append((result.doc_id, result.signature))
                self.bytes += result.size
                self.digest.update(result.doc_id.encode("utf-8", "surrogatepass") + b"\0" + result.digest)

    def preview_facts(self, sample: PreviewSample) -> list[tuple[str, str]]:
        """The names and values in the head of the preview."""
        return [
            ("documents", f"{len(self.signatures):,}"),
            ("records", f"{self.total.counts['records']:,}"),
            ("on this page", f"{len(sample.heap):,}"),
            ("errors", f"{self.total.labels.total():,}"),
            ("version", __version__),
        ]

    def require_records(self) -> None:
        """UserError, with the most frequent reasons, if there is no record to write."""
        if self.total.counts["records"]:
            return
        reasons = [f"{count} x {reason}" for reason, count in (self.skips + self.total.rejects).most_common(5)]
        raise UserError(
            f"no record to write: {len(self.signatures)} documents read, {self.total.counts['units']} units; "
            f"{'; '.join(reasons) or 'no prose in them'}"
        )


class PreviewSample:
    """Records for the preview: those whose lines have the smallest digests, so that every run picks the same ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.offered = 0
        self.heap: list[tuple[int, int, bytes]] = []

    def offer(self, lines: bytes) -> None:
        """Consider the records of these JSON lines."""
        if not self.size:
            return
        for line in lines.splitlines():
            self.offered += 1
            key = -int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")
            push = heapq.heappush if len(self.heap) < self.size else heapq.heappushpop
            push(self.heap, (key, self.offered, line))

    def records(self) -> list[dict[str, Any]]:
        """The picked records, in the order of the data set."""
        return [orjson.loads(line) for _, _, line in sorted(self.heap, key=lambda item: item[1])]


def dataset_manifest(
    report: Report,
    *,
    assignment: SplitAssignment,
    settings: PipelineSettings,
    options: Mapping[str, Any],
    output: Path,
    seconds: float,
) -> dict[str, Any]:
    """The manifest of a data set. Times appear only here, never in the data.

    `options` are those that the settings do not contain.
    """
    total = report.total
    content = {
        "seed": settings.seed,
        "options": {**options, **_describe_settings(settings)},
        "input": {"sha256": report.digest.hexdigest(), "documents": len(report.signatures), "bytes": report.bytes},
        "output": {
            "file": output.name,
            "sha256": sha256_file(output),
            "records": total.counts["records"],
            "bytes": output.stat().st_size,
        },
        "counts": {
            **{name: total.counts[name] for name in _COUNTS},
            "splits": dict(sorted(total.splits.items())),
            "families": dict(total.families.most_common()),
            "labels": {name: total.labels[name] for name in (*report.degraders, *_model_labels(report))},
            "recoverable": dict(sorted(total.classes.items())),
        },
        "skipped": {"documents": dict(report.skips), "other_files": report.other_endings, "examples": report.examples},
        "rejects": dict(total.rejects.most_common()),
        "llm": {"requests": dict(report.requests.most_common()), "rewrites": dict(sorted(total.rewrites.items()))},
        "warnings": total.warnings,
        "duplicates": {"exact": assignment.exact, "near": assignment.near},
        "seconds": round(seconds, 2),
    }
    return build_manifest("data_prep.py", content, packages=_PACKAGES)


def summary_rows(
    report: Report,
    *,
    assignment: SplitAssignment,
    fractions: Sequence[float],
    outputs: Sequence[Path],
    seconds: float,
) -> list[tuple[str, str]]:
    """The rows of the closing table: name and value."""
    total = report.total
    counts = total.counts
    rows: list[tuple[str, str]] = [
        ("documents", f"{len(report.signatures):,} read, {sum(report.skips.values()):,} skipped"),
        *((f"  skipped: {reason}", f"{count:,}") for reason, count in report.skips.most_common()),
        *((f"    {example}", "") for example in report.examples[:_EXAMPLES_IN_TABLE]),
        ("  duplicates", f"{len(assignment.exact)} groups of the same text, {len(assignment.near)} of near-copies"),
        ("units", f"{counts['units']:,} read, {counts['units kept']:,} kept"),
        ("records", f"{counts['records']:,} ({_format_splits(total.splits)})"),
        ("  identity pairs", f"{counts['identity pairs']:,}"),
        ("  with one error", f"{counts['single-error records']:,}"),
        *((f"  rejected: {reason}", f"{count:,}") for reason, count in total.rejects.most_common()),
        ("errors", f"{sum(total.labels.values()):,} of {sum(map(bool, total.labels.values()))} kinds"),
        *((f"  {family}", f"{count:,}") for family, count in total.families.most_common()),
        *_rewrite_rows(report),
        ("recoverable", "  ".join(f"{name} {_format_share(total.classes, name)}" for name in sorted(total.classes))),
        ("time", f"{seconds:.1f} s, {report.bytes / 1e6 / max(seconds, 1e-9):.2f} MB/s of good text"),
        *(("written" if path is outputs[0] else "", str(path)) for path in outputs),
    ]
    empty = [name for name, share in zip(SPLITS, fractions, strict=True) if share and not total.splits[name]]
    if empty:
        hint = "too few documents for so small a share; pass larger shares (--splits)"
        rows.append(("note", f"no document in {' or '.join(empty)}: {hint}"))
    return rows


def _model_labels(report: Report) -> list[str]:
    """The labels of errors that only language models make."""
    return sorted(report.total.labels.keys() - set(report.degraders))


def _rewrite_rows(report: Report) -> list[tuple[str, str]]:
    """The outcomes of the requests to a language model, and of its rewrites."""
    rewrites = report.total.rewrites
    if not rewrites:
        return []
    outcomes: Counter[str] = Counter()
    for name, count in rewrites.items():
        outcomes[name.partition(": ")[2]] += count
    rows = [(f"  {outcome}", f"{count:,}") for outcome, count in report.requests.most_common()]
    rows = [("requests", f"{report.requests.total():,}"), *rows] if rows else []
    share = 100 * outcomes[ACCEPTED] / rewrites.total()
    rows.append(("rewrites", f"{rewrites.total():,} checked, {outcomes.pop(ACCEPTED, 0):,} accepted ({share:.0f} %)"))
    return [*rows, *((f"  rejected: {reason}", f"{count:,}") for reason, count in outcomes.most_common())]


def _format_splits(splits: Counter[str]) -> str:
    return ", ".join(f"{name} {splits[name]:,}" for name in SPLITS)


def _format_share(counts: Counter[str], name: str) -> str:
    return f"{100 * counts[name] / counts.total():.0f} %"


def _describe_settings(settings: PipelineSettings) -> dict[str, Any]:
    """The settings as JSON values; the profile by its origin and digest."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    digest = hashlib.blake2b(settings.profile.to_json(), digest_size=8).hexdigest()
    llm = settings.llm and {
        **dataclasses.asdict(settings.llm),
        "cache": Path(settings.llm.cache).name,
        "prompts": settings.llm.describe_prompts(),
    }
    return {**values, "llm": llm, "profile": {"origin": settings.profile.origin, "digest": digest}}
