#!/usr/bin/env python3
"""Stage 1: good documents in, realistic bad variants out, every error labelled and located.

    python data_prep.py --input docs/ --output dataset.jsonl

Reads a folder, a file or a data set; surveys the documents for near-copies and assigns the splits; degrades each unit
of text n times; writes the records, a manifest and, with --preview, an HTML page.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cli import (
    MAX_SEED,
    DefaultsHelp,
    Parser,
    comma_list,
    format_rows,
    number,
    option_adder,
    run_script,
    whole_number,
)
from degraders import __version__
from degraders.errors import UserError
from degraders.text.dialects import AUTO, DIALECTS

if TYPE_CHECKING:
    from degraders.dataset.pipeline import PipelineSettings
    from degraders.dataset.report import PreviewSample, Report
    from degraders.dataset.sources import Job
    from degraders.dataset.splits import Fractions, SplitAssignment
    from degraders.dataset.workers import OrderedMap
    from degraders.registry import Degrader
    from degraders.rewrites.requests import Backend, RewriteSettings
    from fixer.degrading import LocalModel

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent
TINY_DOCUMENTS, TINY_UNITS = 6, 3
PREVIEW_RECORDS = 60
BYTES_PER_WORKER = 500_000
LLM_SHARE = 0.1
MAX_WARNINGS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 128 + signal interrupted."""
    return run_script(build_parser(), argv, Options, run, describe_partial_output)


def run(options: Options) -> int:
    """Do what the options say; returns the exit code."""
    if options.list_degraders:
        print(format_degraders())
    elif options.run_tests:
        return check_installation()
    else:
        write_outputs(options)
    return 0


def write_outputs(options: Options) -> None:
    """Write the profile or the data set, while no other run writes any of the files."""
    from degraders import files

    with files.claim_files(options.written_files):
        for path in options.outputs:
            files.refuse_existing(path, force=options.force)
        if options.calibrate:
            write_profile(options, options.calibrate)
        else:
            build_dataset(options)


# The command line


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option is also accepted with underscores for dashes, and the reverse."""
    parser = Parser(
        prog="data_prep.py",
        description="Turn good documentation into realistic bad variants, with every error labelled and located.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    option = option_adder(parser.add_argument_group("input"))
    option("--input", metavar="PATH", help="folder (.md .mdx .markdown .rst .txt), one file, or JSONL(.gz)")
    option("--text-field", default="text", metavar="NAME", help="field that holds the text in JSONL or a data set")
    option("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder with one")
    option("--hf_split", default="train", metavar="NAME", help="split of that data set")
    option("--dialect", choices=DIALECTS, default=AUTO, help="dialect of Markdown; auto: recognised in each document")
    option("--max-bytes", type=whole_number(1), default=20_000_000, metavar="N", help="skip larger documents")

    option = option_adder(parser.add_argument_group("output"))
    option("--output", type=Path, default=Path("dataset.jsonl"), metavar="FILE", help=".jsonl, .jsonl.gz or .parquet")
    option("--force", action="store_true", help="replace existing output files")
    option("--splits", default="0.9,0.05,0.05", metavar="A,B,C", help="shares of train, validation and test")
    option("--preview", type=Path, metavar="FILE", help="also write an HTML page with some of the records")

    option = option_adder(parser.add_argument_group("degradation"))
    option("--n-per-doc", type=whole_number(1, 10_000), default=3, metavar="N", help="variants of each unit of a "
           "document")  # fmt: skip
    option("--seed", type=whole_number(0, MAX_SEED), default=42, metavar="N", help="the same seed gives the same bytes")
    option("--degraders", type=comma_list, nargs="+", metavar="NAME", help="names, families or globs of degraders to "
           "use, even those that the profile disables (default: all that it enables)")  # fmt: skip
    option("--exclude", type=comma_list, nargs="+", metavar="NAME", help="names, families or globs of degraders not "
           "to use (default: none)")  # fmt: skip
    option("--severity", type=_severity, default="medium", metavar="LEVEL", help="light, medium, heavy, or the mean "
           "number of errors in a text")  # fmt: skip
    option("--profile", type=Path, metavar="FILE", help="error frequencies: a file written by --calibrate, or "
           "'repairable' for those of real fixes that the text alone determines (default: those of all real "
           "fixes)")  # fmt: skip
    option(
        "--identity-rate",
        type=number(0, 1),
        default=0.05,
        metavar="P",
        help="chance that a variant is the unchanged text",
    )
    option("--single-fault-rate", type=number(0, 1), metavar="P", help="share of variants with exactly one error "
           "(default: as the severity gives)")  # fmt: skip
    option("--recoverable", type=_classes, default="ABC", metavar="ABC", help="classes of errors to make")
    option("--allow-lossy", action="store_true", help="also make errors of class D: the text does not determine "
           "their fix")  # fmt: skip
    option("--unit", choices=("section", "document"), default="section", help="the unit of text that a record holds")
    option("--max-chars", type=whole_number(200), metavar="N", help="pack sections into units of up to N characters "
           "(default: the lengths in the profile)")  # fmt: skip
    option("--min-words", type=whole_number(0), default=8, metavar="N", help="skip units with fewer words of prose")

    _add_llm_options(option_adder(parser.add_argument_group("language models")))

    option = option_adder(parser.add_argument_group("calibration"))
    option("--calibrate", type=Path, metavar="PAIRS", help="measure real pairs (bad, good) and write their profile to "
           "--output")  # fmt: skip
    option("--report", action="store_true", help="compare real errors with generated ones, in a table and a PNG")

    option = option_adder(parser.add_argument_group("running"))
    option("--workers", type=whole_number(1, 1024), default=_count_cores(), metavar="N", help="processes; they do not "
           "change the output")  # fmt: skip
    option("--debug_tiny", action="store_true", help=f"use only {TINY_DOCUMENTS} documents, {TINY_UNITS} units of each")
    option("--list-degraders", action="store_true", help="print every degrader with an example, and exit")
    option("--run-tests", action="store_true", help="check the installation: run the tests, build a sample data set, "
           "and exit")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _add_llm_options(option: Callable[..., None]) -> None:
    option("--llm-backend", choices=("stub", "transformers", "openai"), default="stub", help="what rewrites passages: "
           "offline rules, a model on this machine, or a server that speaks chat completions")  # fmt: skip
    option("--llm-model", metavar="NAME", help="the server's name of the model; or a model of the hub, a model folder, "
           "or an adapter of train_qlora.py --direction degrade")  # fmt: skip
    option("--llm-base-url", metavar="URL", help="address of the server, http://host:port/v1 (default: that of the "
           "openai client)")  # fmt: skip
    option("--llm-share", type=number(0, 1), metavar="P", help=f"share of records with a rewrite of the model "
           f"(default: {LLM_SHARE}; for the stub, as in the profile)")  # fmt: skip
    option("--llm-problems", type=comma_list, metavar="A,B", help="writing problems that the model creates (default: "
           "all of the classes in --recoverable)")  # fmt: skip
    option("--llm-cache", type=Path, metavar="FILE", help="cache of the model's answers (default: beside the output, "
           "with the ending .llm-cache.sqlite)")  # fmt: skip
    option("--llm-temperature", type=number(0, 2), default=0.7, metavar="T", help="sampling temperature; 0: greedy")
    option("--llm-max-requests", type=whole_number(1), metavar="N", help="limit of HTTP requests, retries included "
           "(default: no limit)")  # fmt: skip
    option("--llm-concurrency", type=whole_number(1, 1000), default=32, metavar="N", help="HTTP requests in flight")
    option("--llm-timeout", type=number(0.1, 86_400), default=60.0, metavar="S", help="seconds to wait for one answer")
    option("--llm-bits", type=int, choices=(4, 16, 32), default=4, help="precision of a model on this machine")
    option("--llm-batch", type=whole_number(1), default=8, metavar="N", help="passages in a batch of a model on this "
           "machine")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a run, by their names on the command line; UserError where they contradict each other.

    `degraders` and `exclude` hold one list of names for each word of the command line.
    """

    input: str | None
    text_field: str
    hf_dataset: str | None
    hf_split: str
    dialect: str
    max_bytes: int

    output: Path
    force: bool
    splits: str
    preview: Path | None

    n_per_doc: int
    seed: int
    degraders: Sequence[Sequence[str]] | None
    exclude: Sequence[Sequence[str]] | None
    severity: float | None
    profile: Path | None
    identity_rate: float
    single_fault_rate: float | None
    recoverable: str
    allow_lossy: bool
    unit: str
    max_chars: int | None
    min_words: int

    llm_backend: str
    llm_model: str | None
    llm_base_url: str | None
    llm_share: float | None
    llm_problems: Sequence[str] | None
    llm_cache: Path | None
    llm_temperature: float
    llm_max_requests: int | None
    llm_concurrency: int
    llm_timeout: float
    llm_bits: int
    llm_batch: int

    calibrate: Path | None
    report: bool

    workers: int
    debug_tiny: bool
    list_degraders: bool
    run_tests: bool

    def __post_init__(self) -> None:
        if self.list_degraders or self.run_tests:
            return
        if not self.input and not self.hf_dataset and not self.calibrate:
            raise UserError("name the input: --input FOLDER_OR_FILE or --hf_dataset NAME")
        if self.input and self.hf_dataset:
            raise UserError("--input and --hf_dataset exclude each other")
        if self.calibrate:
            self._check_calibration()
        else:
            self._check_dataset()

    def _check_calibration(self) -> None:
        if self.input or self.hf_dataset:
            raise UserError("--calibrate reads pairs, not --input or --hf_dataset")
        if self.output.suffix != ".json":
            raise UserError(f"--calibrate writes a profile: --output must end in .json, not {self.output.suffix!r}")

    def _check_dataset(self) -> None:
        from degraders.dataset.splits import parse_fractions
        from degraders.dataset.writer import output_format

        if self.report:
            raise UserError("--report needs --calibrate PAIRS")
        if self.llm_backend != "stub" and not self.llm_model:
            raise UserError(f"--llm-backend {self.llm_backend} needs --llm-model NAME")
        if self.llm_backend == "stub" and (self.llm_model or self.llm_base_url):
            raise UserError("--llm-model and --llm-base-url need --llm-backend transformers or openai")
        if self.llm_backend == "stub" and self.llm_problems and not self.llm_share:
            raise UserError("--llm-problems needs --llm-share P, or --llm-backend transformers or openai")
        if "@" in (self.llm_base_url or ""):
            raise UserError("--llm-base-url must not contain a password; the key is read from OPENAI_API_KEY")
        output_format(self.output)
        parse_fractions(self.splits)
        self.select_degraders()

    @property
    def outputs(self) -> list[Path]:
        """The files that are written and may be replaced only with --force."""
        if self.calibrate:
            return [self.output, self.figure] if self.report else [self.output]
        return [path for path in (self.output, self.preview) if path]

    @property
    def written_files(self) -> list[Path]:
        """All files that are written."""
        from degraders.dataset.writer import companion_path

        if self.calibrate:
            return self.outputs
        cache = [] if self.llm_backend == "stub" else [self.answer_cache]
        return [*self.outputs, companion_path(self.output, ".manifest.json"), *cache]

    @property
    def figure(self) -> Path:
        """The PNG that --report writes beside the profile."""
        return self.output.with_suffix(".png")

    @property
    def answer_cache(self) -> Path:
        """The file that keeps the answers of a language model."""
        from degraders.dataset.writer import companion_path

        return self.llm_cache or companion_path(self.output, ".llm-cache.sqlite")

    @property
    def fractions(self) -> Fractions:
        """The shares of train, validation and test."""
        from degraders.dataset.splits import parse_fractions

        return parse_fractions(self.splits)

    @property
    def allowed_classes(self) -> str:
        """The classes of errors to make, D included."""
        return self.recoverable + "D" * self.allow_lossy

    def select_degraders(self) -> tuple[Degrader, ...]:
        """The degraders that --degraders and --exclude select."""
        from degraders.catalogue import select

        return select(chain(*(self.degraders or [["*"]])), chain(*(self.exclude or [])))


# The data set


def build_dataset(options: Options) -> None:
    """Read, survey, split, degrade, write, report."""
    from degraders.dataset.pipeline import DegradeStep, SurveyStep
    from degraders.dataset.report import PreviewSample, Report, summary_rows
    from degraders.dataset.splits import assign_splits
    from degraders.dataset.workers import worker_pool
    from degraders.dataset.writer import dataset_writer

    started = time.monotonic()
    settings = make_pipeline_settings(options)
    report = Report(settings.degraders)
    sample = PreviewSample(PREVIEW_RECORDS if options.preview else 0)
    total = measure_input(options)
    processes = options.workers if total is None else min(options.workers, 1 + total // BYTES_PER_WORKER)
    with worker_pool(processes) as map_ordered:
        jobs = discover_jobs(options, report)
        survey = SurveyStep(settings.max_bytes)
        for results in map_with_progress(survey, jobs, map_ordered, title="reading", total=total):
            report.add_survey(results)
        assignment = assign_splits(report.signatures, options.fractions, options.seed)
        if settings.llm and settings.llm.cache:
            report.requests = request_rewrites(
                options, settings, settings.llm, map_ordered=map_ordered, total=report.bytes
            )
        split_jobs = (
            (job, assignment.splits[job.doc_id]) for job in discover_jobs(options) if job.doc_id in assignment.splits
        )
        with dataset_writer(options.output, force=options.force) as sink:
            degrade = DegradeStep(settings)
            for batch in map_with_progress(degrade, split_jobs, map_ordered, title="degrading", total=report.bytes):
                sink.write(batch.lines)
                sample.offer(batch.lines)
                report.total.add_counts(batch)
            report.require_records()
    for warning in report.total.warnings[:MAX_WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    seconds = time.monotonic() - started
    write_companions(options, settings, report, assignment=assignment, sample=sample, seconds=seconds)
    rows = summary_rows(
        report, assignment=assignment, fractions=options.fractions, outputs=options.outputs, seconds=seconds
    )
    print(format_rows(rows))


def make_pipeline_settings(options: Options) -> PipelineSettings:
    """The options that the worker processes need."""
    from degraders import profiles
    from degraders.dataset.pipeline import PipelineSettings

    return PipelineSettings(
        degraders=tuple(item.name for item in options.select_degraders()),
        seed=options.seed,
        severity=options.severity,
        identity_rate=options.identity_rate,
        single_fault_rate=options.single_fault_rate,
        allow_lossy=options.allow_lossy,
        classes=options.recoverable,
        unit=options.unit,
        max_chars=options.max_chars,
        min_words=options.min_words,
        n_per_doc=options.n_per_doc,
        max_bytes=options.max_bytes,
        dialect=options.dialect,
        profile=profiles.read_profile(options.profile) if options.profile else profiles.builtin_profile(),
        keep_disabled=options.degraders is not None,
        llm=make_rewrite_settings(options),
        max_units=TINY_UNITS if options.debug_tiny else None,
    )


def measure_input(options: Options) -> int | None:
    """The bytes of the input; None if they are unknown before it is read."""
    from degraders.dataset import sources

    if options.debug_tiny:
        return 0
    return sources.total_bytes(Path(options.input)) if options.input else None


def discover_jobs(options: Options, report: Report | None = None) -> Iterator[Job]:
    """The documents of the input, always in the same order; skipped files go to the report."""
    from degraders.dataset import sources

    limits: dict[str, Any] = {"text_field": options.text_field, "max_bytes": options.max_bytes}
    if options.hf_dataset:
        items = sources.discover_dataset(options.hf_dataset, options.hf_split, **limits)
    else:
        items = sources.discover(Path(options.input or ""), **limits)
    jobs = 0
    for item in items:
        if options.debug_tiny and jobs == TINY_DOCUMENTS:
            return
        if isinstance(item, sources.Job):
            jobs += 1
            yield item
        elif report:
            report.add_skip(item)


def map_with_progress(
    step: Callable[[list[Any]], T], items: Iterable[Any], map_ordered: OrderedMap, *, title: str, total: int | None
) -> Iterator[T]:
    """The step's results on batches of jobs, in order, with a progress bar in bytes (on stderr, if a terminal)."""
    from tqdm import tqdm

    from degraders.dataset.workers import batch_by_size

    sizes: deque[int] = deque()

    def measure(item: Job | tuple[Job, str]) -> int:
        return (item[0] if isinstance(item, tuple) else item).size

    def batches() -> Iterator[list[Any]]:
        for batch in batch_by_size(items, measure):
            sizes.append(sum(map(measure, batch)))
            yield batch

    with tqdm(total=total or None, desc=title, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        for result in map_ordered(step, batches()):
            bar.update(sizes.popleft())
            yield result


def write_companions(
    options: Options,
    settings: PipelineSettings,
    report: Report,
    *,
    assignment: SplitAssignment,
    sample: PreviewSample,
    seconds: float,
) -> None:
    """Write the preview, and last the manifest: its presence says that the data set is complete."""
    import orjson

    from degraders import files
    from degraders.dataset.preview import render_preview
    from degraders.dataset.report import dataset_manifest
    from degraders.dataset.writer import companion_path

    if options.preview:
        title, facts = f"Preview of {options.output.name}", report.preview_facts(sample)
        files.write_text(options.preview, render_preview(sample.records(), title=title, facts=facts))
    content = dataset_manifest(
        report,
        assignment=assignment,
        settings=settings,
        options={
            "input": options.input or options.hf_dataset,
            "text_field": options.text_field,
            "hf_split": options.hf_split if options.hf_dataset else None,
            "splits": options.fractions,
            "debug_tiny": options.debug_tiny,
        },
        output=options.output,
        seconds=seconds,
    )
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    files.write_text(companion_path(options.output, ".manifest.json"), text)


def describe_partial_output(options: Options) -> str:
    """What an interrupted run has written, and how to continue it."""
    if options.calibrate or options.llm_backend == "stub" or not options.answer_cache.exists():
        return "nothing was written"
    return f"the answers so far are in {options.answer_cache}; run the same command again to continue"


# Language models


def make_rewrite_settings(options: Options) -> RewriteSettings | None:
    """The rewrites that the run uses; None without a language model."""
    from degraders.rewrites.requests import RewriteSettings, get_problem

    if options.llm_backend == "stub" and not options.llm_share:
        return None
    signature, supported = describe_model(options)
    allowed = [name for name in supported if get_problem(name).recoverable in options.allowed_classes]
    problems = options.llm_problems or allowed
    if unknown := [name for name in problems if name not in supported]:
        raise UserError(f"--llm-problems {unknown[0]}: not one of {', '.join(supported)}")
    if not problems:
        raise UserError(
            f"--recoverable {options.allowed_classes}: no problem of the language model ({', '.join(supported)}) has "
            "errors of these classes"
        )
    return RewriteSettings(
        backend=options.llm_backend,
        share=LLM_SHARE if options.llm_share is None else options.llm_share,
        problems=tuple(problems),
        signature=signature,
        cache="" if options.llm_backend == "stub" else str(options.answer_cache),
    )


def describe_model(options: Options) -> tuple[str, list[str]]:
    """The signature of the model, everything that its answers depend on; and the problems that it can create."""
    from degraders.rewrites import stub
    from degraders.rewrites.requests import LEARNED, all_problems

    if options.llm_backend == "stub":
        return "", list(stub.PROBLEMS)
    if options.llm_backend == "openai":
        signature = f"openai {options.llm_model} {options.llm_base_url} {options.llm_temperature}"
        return signature, list(all_problems())
    model = make_local_model(options)
    return model.signature(), [LEARNED] if model.learned else list(all_problems())


def request_rewrites(
    options: Options, settings: PipelineSettings, llm: RewriteSettings, map_ordered: OrderedMap, total: int
) -> Counter[str]:
    """Have the language model answer all requests of the run that are not in the cache; returns their outcomes."""
    from tqdm import tqdm

    from degraders.dataset.pipeline import PassageStep
    from degraders.rewrites.cache import AnswerCache, fill_cache

    answers = AnswerCache(llm.cache, llm.signature, write=True)
    jobs = discover_jobs(options)
    batches = map_with_progress(PassageStep(settings), jobs, map_ordered, title="requesting", total=total)
    outcomes: Counter[str] = Counter()
    try:
        requests = (request for batch in batches for request in batch)
        with tqdm(desc="answers", unit="", leave=False, disable=None, position=1) as bar:
            for outcome in fill_cache(make_backend(options), requests, answers):
                outcomes[outcome] += 1
                bar.update()
    finally:
        answers.close()
    return outcomes


def make_backend(options: Options) -> Backend:
    """The server or the model on this machine that answers requests."""
    if options.llm_backend == "openai":
        from degraders.rewrites.openai import OpenAIBackend, ServerSettings

        return OpenAIBackend(
            ServerSettings(
                model=options.llm_model or "",
                base_url=options.llm_base_url,
                temperature=options.llm_temperature,
                concurrency=options.llm_concurrency,
                timeout=options.llm_timeout,
                max_requests=options.llm_max_requests,
            )
        )
    from fixer.degrading import TransformersBackend

    return TransformersBackend(make_local_model(options))


def make_local_model(options: Options) -> LocalModel:
    """The model on this machine, by name; it is not loaded yet."""
    from fixer.degrading import LocalModel

    return LocalModel(
        model=options.llm_model or "",
        bits=options.llm_bits,
        batch=options.llm_batch,
        temperature=options.llm_temperature,
        seed=options.seed,
    )


# Calibration, the list of degraders, the check of the installation


def write_profile(options: Options, pairs_path: Path) -> None:
    """Measure real pairs and write their profile; with --report, compare real errors with generated ones."""
    from degraders import files
    from degraders.dataset import pairs
    from degraders.realism import calibrate, compare

    skipped: Counter[str] = Counter()
    annotated = calibrate.annotate_pairs(pairs.read_pairs(pairs_path, skipped=skipped))
    for reason, count in skipped.items():
        print(f"warning: {count:,} pairs were skipped: {reason}", file=sys.stderr)
    profile = calibrate.calibrate_profile(annotated, origin=calibrate.describe_origin(annotated, pairs_path.name))
    if options.report:
        real = compare.measure_distributions(calibrate.real_texts(annotated))
        generated = compare.measure_distributions(calibrate.generate_texts(annotated, profile))
        print(compare.comparison_table(real, generated) + "\n")
        compare.plot_comparison(options.figure, real, generated)
    files.write_text(options.output, profile.to_json().decode())
    print(f"{len(annotated):,} pairs with {sum(len(item.fixes) for item in annotated):,} errors: {options.output}")


def format_degraders() -> str:
    """A table of all degraders: name, family, class, severity, description, example."""
    from degraders.catalogue import all_degraders

    def format_text(text: str) -> str:
        return text.rstrip("\n").replace("\n", "⏎")

    rows = [("name", "family", "class", "severity", "what it does", "example")]
    for item in all_degraders().values():
        good, bad = map(format_text, item.example)
        rows.append((item.name, item.family, item.recoverable, str(item.severity), item.does, f"{good} → {bad}"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    )


def check_installation() -> int:
    """Run the tests of stage 1, then build a data set of the sample documents and check its records."""
    from degraders.dataset.records import check_record, read_records

    print("running the tests of stage 1 ...", flush=True)
    selection = ["-m", "not slow and not fixer", str(ROOT / "tests")]
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q", *selection], cwd=ROOT)
    sample = Path("sample_dataset.jsonl")
    print(f"\nbuilding {sample} from {ROOT.name}/sample_docs ...", flush=True)
    built = main(["--input", str(ROOT / "sample_docs"), "--output", str(sample), "--force"]) == 0
    faults = [f"{row['id']}: {fault}" for row in read_records(sample) for fault in check_record(row)] if built else []
    for fault in faults[:10]:
        print(fault, file=sys.stderr)
    passed, exact = tests.returncode == 0, built and not faults
    print(f"\ntests {'passed' if passed else 'FAILED'}; {sample} {'built, every span exact' if exact else 'FAILED'}")
    return 0 if passed and exact else 1


# Types of options


def _severity(text: str) -> float | None:
    """The mean number of errors in a text; None: as the profile says."""
    from degraders.engine import SEVERITIES

    if text in SEVERITIES:
        return SEVERITIES[text]
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is neither light, medium, heavy nor a number from 1 to 100")
    return value


def _classes(text: str) -> str:
    """Classes of errors, sorted: `c,A` is `AC`."""
    classes = "".join(sorted(set(text.upper().replace(",", ""))))
    if not classes or not set(classes) <= set("ABC"):
        raise argparse.ArgumentTypeError(f"{text!r}: name some of the classes A, B and C; D is --allow-lossy")
    return classes


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
