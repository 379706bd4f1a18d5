"""What stage 1 tells of a run: the counts of all that was read, kept and rejected, as a table and as a manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from degraders import __version__
from degraders.dataset.pipeline import PipelineSettings, RecordBatch, SurveyedDocument
from degraders.dataset.sources import Reason, Skip
from degraders.dataset.splits import SPLITS, SplitAssignment
from degraders.errors import UserError
from degraders.files import sha256_file

_MOST_EXAMPLES = 50
_COUNTED = ("units", "units kept", "records", "identity pairs", "single-error records")


class Report:
    """What happened to the input: every document and every unit is either kept or rejected with its reason."""

    def __init__(self, degraders: Sequence[str]) -> None:
        self.degraders = degraders
        self.signatures: list[tuple[str, bytes]] = []
        self.skips: Counter[str] = Counter()
        self.examples: list[str] = []
        self.other_endings = 0
        self.bytes = 0
        self.digest = hashlib.sha256()
        self.total = RecordBatch()
        self.asked: Counter[str] = Counter()

    def skipped(self, skip: Skip) -> None:
        """Count what is left out, with a few examples of where."""
        if skip.reason == Reason.OTHER_ENDING:
            self.other_endings += skip.count
            return
        self.skips[str(skip.reason)] += skip.count
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{skip.where}: {skip.reason}{f' ({skip.detail})' if skip.detail else ''}")

    def surveyed(self, results: Iterable[SurveyedDocument | Skip]) -> None:
        for result in results:
            if isinstance(result, Skip):
                self.skipped(result)
            else:
                self.signatures.append((result.doc_id, result.signature))
                self.bytes += result.size
                self.digest.update(result.doc_id.encode("utf-8", "surrogatepass") + b"\0" + result.digest)

    def facts(self, shown: PreviewSample) -> list[tuple[str, str]]:
        """What the head of the preview says."""
        return [
            ("documents", f"{len(self.signatures):,}"),
            ("records", f"{self.total.counts['records']:,}"),
            ("shown", f"{len(shown.heap):,}"),
            ("errors", f"{self.total.labels.total():,}"),
            ("version", __version__),
        ]

    def refuse_nothing(self) -> None:
        """UserError if there is no record to write."""
        if self.total.counts["records"]:
            return
        reasons = [f"{count} x {reason}" for reason, count in (self.skips + self.total.rejects).most_common(5)]
        raise UserError(
            f"no record to write: {len(self.signatures)} documents read, {self.total.counts['units']} units; "
            f"{'; '.join(reasons) or 'no prose in them'}"
        )


class PreviewSample:
    """Records for the preview: those whose lines have the smallest digests, so that any run shows the same."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen = 0
        self.heap: list[tuple[int, int, bytes]] = []

    def offer(self, lines: bytes) -> None:
        if not self.most:
            return
        for line in lines.splitlines():
            self.seen += 1
            key = -int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")
            (heapq.heappush if len(self.heap) < self.most else heapq.heappushpop)(self.heap, (key, self.seen, line))

    def records(self) -> list[dict[str, Any]]:
        """The chosen records, in the order of the data set."""
        return [orjson.loads(line) for _, _, line in sorted(self.heap, key=lambda item: item[1])]


def build_manifest(
    report: Report,
    assigned: SplitAssignment,
    settings: PipelineSettings,
    options: dict[str, Any],
    output: Path,
    seconds: float,
) -> dict[str, Any]:
    """What made the data set and what came of it; times stand here alone, never in the data."""
    total = report.total
    return {
        "tool": "data_prep.py",
        "version": __version__,
        "seed": settings.seed,
        "options": {**options, **_plain(settings)},
        "input": {"sha256": report.digest.hexdigest(), "documents": len(report.signatures), "bytes": report.bytes},
        "output": {
            "file": output.name,
            "sha256": sha256_file(output),
            "records": total.counts["records"],
            "bytes": output.stat().st_size,
        },
        "counts": {
            **{name: total.counts[name] for name in _COUNTED},
            "splits": dict(sorted(total.splits.items())),
            "families": dict(total.families.most_common()),
            "labels": {name: total.labels[name] for name in (*report.degraders, *_own(report))},
            "recoverable": dict(sorted(total.classes.items())),
        },
        "skipped": {"documents": dict(report.skips), "other_files": report.other_endings, "examples": report.examples},
        "rejects": dict(total.rejects.most_common()),
        "llm": {"requests": dict(report.asked.most_common()), "rewrites": dict(sorted(total.rewrites.items()))},
        "warnings": total.warnings,
        "duplicates": {"exact": assigned.exact, "near": assigned.near},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def summary_rows(
    report: Report, assigned: SplitAssignment, fractions: Sequence[float], written: Sequence[Path], seconds: float
) -> list[tuple[str, str]]:
    """The rows of the closing table: name and value."""
    total = report.total
    counts = total.counts
    rows: list[tuple[str, str]] = [
        ("documents", f"{len(report.signatures):,} read, {sum(report.skips.values()):,} skipped"),
        *((f"  skipped: {reason}", f"{count:,}") for reason, count in report.skips.most_common()),
        *((f"    {example}", "") for example in report.examples[:5]),
        ("  duplicates", f"{len(assigned.exact)} groups of the same text, {len(assigned.near)} of near-copies"),
        ("units", f"{counts['units']:,} found, {counts['units kept']:,} kept"),
        ("records", f"{counts['records']:,} ({_split_list(total.splits)})"),
        ("  identity pairs", f"{counts['identity pairs']:,}"),
        ("  with one error", f"{counts['single-error records']:,}"),
        *((f"  rejected: {reason}", f"{count:,}") for reason, count in total.rejects.most_common()),
        ("errors", f"{sum(total.labels.values()):,} of {sum(map(bool, total.labels.values()))} kinds"),
        *((f"  {family}", f"{count:,}") for family, count in total.families.most_common()),
        *_rewrites(report),
        ("recoverable", "  ".join(f"{name} {_share(total.classes, name)}" for name in sorted(total.classes))),
        ("time", f"{seconds:.1f} s, {report.bytes / 1e6 / max(seconds, 1e-9):.2f} MB/s of good text"),
        *(("written" if path is written[0] else "", str(path)) for path in written),
    ]
    empty = [name for name, part in zip(SPLITS, fractions, strict=True) if part and not total.splits[name]]
    if empty:
        rows.append(("note", f"no document fell into {' or '.join(empty)}: too few documents for so small a share"))
    return rows


def _own(report: Report) -> list[str]:
    """The labels that language models alone make."""
    return sorted(report.total.labels.keys() - set(report.degraders))


def _rewrites(report: Report) -> list[tuple[str, str]]:
    """What became of what a language model was asked, and of its answers."""
    rewrites, taken = report.total.rewrites, "taken"
    if not rewrites:
        return []
    reasons: Counter[str] = Counter()
    for name, count in rewrites.items():
        reasons[name.partition(": ")[2]] += count
    rows = [(f"  {what}", f"{count:,}") for what, count in report.asked.most_common()]
    rows = [("requests", f"{report.asked.total():,}"), *rows] if rows else []
    share = 100 * reasons[taken] / rewrites.total()
    rows.append(("rewrites", f"{rewrites.total():,} looked at, {reasons.pop(taken, 0):,} taken ({share:.0f} %)"))
    return [*rows, *((f"  not taken: {reason}", f"{count:,}") for reason, count in reasons.most_common())]


def _split_list(splits: Counter[str]) -> str:
    return ", ".join(f"{name} {splits[name]:,}" for name in SPLITS)


def _share(counts: Counter[str], name: str) -> str:
    return f"{100 * counts[name] / counts.total():.0f} %"


def _plain(settings: PipelineSettings) -> dict[str, Any]:
    """The settings as values of JSON; of the profile what names it."""
    plain = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    digest = hashlib.blake2b(settings.profile.to_json(), digest_size=8).hexdigest()
    llm = settings.llm
    told = llm and {**dataclasses.asdict(llm), "cache": Path(llm.cache).name, "prompts": llm.prompts()}
    return {**plain, "llm": told, "profile": {"origin": settings.profile.origin, "digest": digest}}
