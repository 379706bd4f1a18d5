#!/usr/bin/env python3
"""Stage 1: good documents in, realistic bad variants out, every error labelled and located.

    python data_prep.py --input docs/ --output dataset.jsonl

Reads a folder, a file or a data set; signs every document to find near-copies and draws the splits; degrades each
unit of text n times; writes the records, a manifest and, if asked, a page to look at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import DefaultsHelp, comma_list, format_rows, number, option_adder, run_script, whole_number
from degraders import __version__
from degraders.errors import UserError

if TYPE_CHECKING:
    from degraders.dataset.pipeline import PipelineSettings
    from degraders.dataset.report import PreviewSample, Report
    from degraders.dataset.sources import Job
    from degraders.dataset.splits import SplitAssignment
    from degraders.rewrites.requests import Backend, RewriteSettings
    from fixer.degrading import LocalModel

ROOT = Path(__file__).resolve().parent
TINY_DOCUMENTS, TINY_UNITS = 6, 3
PREVIEW_RECORDS = 60
BYTES_PER_WORKER = 500_000
LLM_SHARE = 0.1
MOST_WARNINGS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 130 interrupted."""
    parser = build_parser()
    options = parser.parse_args(argv)

    def work() -> int | None:
        if options.list_degraders:
            print(table_of_degraders())
            return 0
        if options.run_tests:
            return run_tests()
        if not options.input and not options.hf_dataset and not options.calibrate:
            parser.error("name what to read: --input FOLDER_OR_FILE or --hf_dataset NAME")
        check_usage(parser, options)
        (calibrate if options.calibrate else prepare)(options)
        return 0

    return run_script(parser.prog, work, lambda: "nothing was written")


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option is also understood with underscores for dashes, and the reverse."""
    parser = argparse.ArgumentParser(
        prog="data_prep.py",
        description="Turn good documentation into realistic bad variants, with every error labelled and located.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    group = option_adder(parser.add_argument_group("input"))
    group("--input", metavar="PATH", help="folder (.md .mdx .markdown .rst .txt), one file, or JSONL(.gz)")
    group("--text-field", default="text", metavar="NAME", help="field of a JSONL row or data set that holds the text")
    group("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder of one")
    group("--hf_split", default="train", metavar="NAME", help="split of that data set")
    group("--max-bytes", type=whole_number(1), default=20_000_000, help="skip documents that are larger")

    group = option_adder(parser.add_argument_group("output"))
    group("--output", type=Path, default=Path("dataset.jsonl"), metavar="FILE", help=".jsonl, .jsonl.gz or .parquet")
    group("--force", action="store_true", help="replace an output that exists")
    group("--splits", default="0.9,0.05,0.05", metavar="A,B,C", help="shares of train, validation and test")
    group("--preview", type=Path, metavar="FILE", help="write an HTML page that shows some of the records")

    group = option_adder(parser.add_argument_group("degradation"))
    group("--n-per-doc", type=whole_number(1), default=3, metavar="N", help="variants of each unit of text")
    group("--seed", type=int, default=42, help="the same seed gives the same bytes")
    group("--degraders", type=comma_list, nargs="+", metavar="NAME", help="names, families or globs (default: all)")
    group("--exclude", type=comma_list, nargs="+", metavar="NAME", help="names, families or globs to leave out")
    group("--severity", type=_severity, default="medium", help="light, medium, heavy, or mean errors a text")
    group("--profile", type=Path, metavar="FILE", help="how often which error is made; repairable: as in real fixes "
          "that the text tells (default: as in all real fixes)")  # fmt: skip
    group("--identity-rate", type=number(0, 1), default=0.05, metavar="P", help="share of pairs with bad = good")
    group(
        "--single-fault-rate",
        type=number(0, 1),
        metavar="P",
        help="share with exactly one error (default: as it comes)",
    )
    group("--recoverable", type=_classes, default="ABC", metavar="ABC", help="classes of errors that are made")
    group("--allow-lossy", action="store_true", help="errors whose repair the text does not tell, too (class D)")
    group("--unit", choices=("section", "document"), default="section", help="what a record holds")
    group(
        "--max-chars",
        type=whole_number(200),
        metavar="N",
        help="pack sections up to N characters (default: as the profile)",
    )
    group("--min-words", type=whole_number(0), default=8, metavar="N", help="leave out units with fewer words of prose")

    _llm_options(option_adder(parser.add_argument_group("language models")))

    group = option_adder(parser.add_argument_group("calibration"))
    group("--calibrate", type=Path, metavar="PAIRS", help="write a profile of real pairs (bad, good) to --output")
    group("--report", action="store_true", help="show real and made errors side by side, as a table and a PNG")

    group = option_adder(parser.add_argument_group("running"))
    group("--workers", type=whole_number(1), default=_cores(), metavar="N", help="processes; the output is the same")
    group("--debug_tiny", action="store_true", help=f"only {TINY_DOCUMENTS} documents, {TINY_UNITS} units of each")
    group("--list-degraders", action="store_true", help="print every degrader with an example, and stop")
    group("--run-tests", action="store_true", help="check the installation: tests, sample data set; and stop")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _llm_options(group: Callable[..., None]) -> None:
    group("--llm-backend", choices=("stub", "transformers", "openai"), default="stub", help="who rewrites passages: "
          "offline rules, a model on this machine, or a server that speaks chat completions")  # fmt: skip
    group("--llm-model", metavar="NAME", help="model of the server or the hub, model folder, or adapter of "
          "train_qlora.py --direction degrade")  # fmt: skip
    group("--llm-base-url", metavar="URL", help="the server's address, http://host:port/v1 (default: the client's own)")
    group("--llm-share", type=number(0, 1), metavar="P", help=f"share of records with an error of a model (default: "
          f"{LLM_SHARE} with a model; the stub's is in the profile)")  # fmt: skip
    group("--llm-problems", type=comma_list, metavar="A,B", help="what is asked for (default: all that may be made)")
    group("--llm-cache", type=Path, metavar="FILE", help="the answers (default: beside the output, .llm-cache.sqlite)")
    group("--llm-temperature", type=number(0, 2), default=0.7, metavar="T", help="0: the likeliest answer")
    group(
        "--llm-max-requests",
        type=whole_number(1),
        metavar="N",
        help="at most so many HTTP requests, retries too (none: any)",
    )
    group("--llm-concurrency", type=whole_number(1), default=32, metavar="N", help="requests in flight")
    group("--llm-timeout", type=number(0.1), default=60.0, metavar="S", help="seconds for one answer")
    group("--llm-bits", type=int, choices=(4, 16, 32), default=4, help="of a model on this machine")
    group("--llm-batch", type=whole_number(1), default=8, metavar="N", help="passages that it rewrites at once")


def check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse, as wrong usage, what no data could make right; turns the options' texts into values."""
    from degraders.catalogue import select
    from degraders.dataset.splits import parse_fractions
    from degraders.dataset.writer import output_format

    if options.input and options.hf_dataset:
        parser.error("--input and --hf_dataset exclude each other")
    if options.calibrate:
        check_calibration(parser, options)
        return
    if options.report:
        parser.error("--report goes with --calibrate")
    if options.llm_backend != "stub" and not options.llm_model:
        parser.error(f"--llm-backend {options.llm_backend} needs --llm-model NAME")
    if "@" in (options.llm_base_url or ""):
        parser.error("--llm-base-url: holds a password; the key comes from OPENAI_API_KEY alone")
    try:
        output_format(options.output)
        options.fractions = parse_fractions(options.splits)
        options.chosen = select(chain(*(options.degraders or [["*"]])), chain(*(options.exclude or [])))
    except UserError as error:
        parser.error(str(error))


def check_calibration(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what does not go with --calibrate."""
    if options.input or options.hf_dataset:
        parser.error("--calibrate reads pairs, not --input or --hf_dataset")
    if options.output.suffix != ".json":
        parser.error(f"--calibrate writes a profile: --output must end in .json, not {options.output.suffix!r}")


def calibrate(options: argparse.Namespace) -> None:
    """From real pairs to a profile, and, if asked, real and made errors side by side."""
    from degraders import files
    from degraders.dataset import pairs
    from degraders.realism import calibrate, compare

    figure = options.output.with_suffix(".png")
    for path in (options.output, *([figure] if options.report else [])):
        files.refuse_existing(path, force=options.force)
    reads = calibrate.read_fixes(pairs.read_pairs(options.calibrate))
    profile = calibrate.calibrate_profile(reads, origin=calibrate.describe_origin(reads, options.calibrate.name))
    if options.report:
        real, made = (
            compare.measure_distributions(calibrate.real_texts(reads)),
            compare.measure_distributions(calibrate.degrade_pairs(reads, profile)),
        )
        print(compare.comparison_table(real, made) + "\n")
        compare.plot_comparison(figure, real, made)
    files.write_text(options.output, profile.to_json().decode())
    print(f"{len(reads):,} pairs with {sum(len(read.fixes) for read in reads):,} errors: {options.output}")


def prepare(options: argparse.Namespace) -> None:
    """Read, survey, split, degrade, write, report."""
    from degraders import files
    from degraders.dataset import pipeline, splits, workers, writer
    from degraders.dataset.report import PreviewSample, Report, summary_rows

    started = time.monotonic()
    for path in written_by(options):
        files.refuse_existing(path, force=options.force)
    settings = settings_of(options)
    total = input_bytes(options)
    processes = options.workers if total is None else min(options.workers, 1 + total // BYTES_PER_WORKER)
    with workers.worker_pool(processes) as run:
        report = Report(settings.degraders)
        for result in run_over(jobs(options, report), pipeline.SurveyStep(settings.max_bytes), run, "reading", total):
            report.surveyed(result)
        assigned = splits.assign_splits(report.signatures, options.fractions, options.seed)
        shown = PreviewSample(PREVIEW_RECORDS if options.preview else 0)
        if settings.llm and settings.llm.cache:
            report.asked = ask(options, settings, settings.llm, run, report)
        split_jobs = ((job, assigned.splits[job.doc_id]) for job in jobs(options) if job.doc_id in assigned.splits)
        with writer.dataset_writer(options.output, force=options.force) as sink:
            for batch in run_over(split_jobs, pipeline.DegradeStep(settings), run, "degrading", report.bytes):
                sink.write(batch.lines)
                shown.offer(batch.lines)
                report.total.count(batch)
            report.refuse_nothing()
    for warning in report.total.warnings[:MOST_WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    seconds = time.monotonic() - started
    write_companions(options, settings, report, assigned, shown, seconds)
    print(format_rows(summary_rows(report, assigned, options.fractions, written_by(options), seconds)))


def ask(
    options: argparse.Namespace, settings: PipelineSettings, llm: RewriteSettings, run: Any, report: Report
) -> Counter[str]:
    """Have a language model answer all that will be needed and is not in the cache; what became of the requests."""
    from tqdm import tqdm

    from degraders.dataset import pipeline
    from degraders.rewrites import cache

    answers = cache.AnswerCache(llm.cache, llm.signature, write=True)
    found = run_over(jobs(options), pipeline.PassageStep(settings), run, "asking", report.bytes)
    told: Counter[str] = Counter()
    try:
        requests = (request for batch in found for request in batch)
        with tqdm(desc="answers", unit="", leave=False, disable=None, position=1) as bar:
            for outcome in cache.fill_cache(backend(options), requests, answers):
                told[outcome] += 1
                bar.update()
    finally:
        answers.close()
    return told


def backend(options: argparse.Namespace) -> Backend:
    """Who answers."""
    if options.llm_backend == "openai":
        from degraders.rewrites.openai import OpenAIBackend, ServerSettings

        settings = (options.llm_temperature, options.llm_concurrency, options.llm_timeout, options.llm_max_requests)
        return OpenAIBackend(ServerSettings(options.llm_model, options.llm_base_url, *settings))
    from fixer.degrading import TransformersBackend

    return TransformersBackend(local(options))


def local(options: argparse.Namespace) -> LocalModel:
    from fixer.degrading import LocalModel

    return LocalModel(options.llm_model, options.llm_bits, options.llm_batch, options.llm_temperature, options.seed)


def llm_of(options: argparse.Namespace) -> RewriteSettings | None:
    """What is asked of a language model; None where nothing is."""
    from degraders.dataset import writer
    from degraders.rewrites import stub
    from degraders.rewrites.requests import LEARNED, RewriteSettings, all_problems, get_problem

    kind, share = options.llm_backend, options.llm_share
    if kind == "stub" and not share:
        return None
    signature, known = "", list(stub.PROBLEMS if kind == "stub" else all_problems())
    if kind == "openai":
        signature = f"openai {options.llm_model} {options.llm_base_url} {options.llm_temperature}"
    elif kind == "transformers":
        model = local(options)
        signature, known = model.signature(), [LEARNED] if model.learned else known
    made = options.recoverable + "D" * options.allow_lossy
    chosen = options.llm_problems or [name for name in known if get_problem(name).recoverable in made]
    if unknown := [name for name in chosen if name not in known]:
        raise UserError(f"--llm-problems {unknown[0]}: is none of {', '.join(known)}")
    if not chosen:
        raise UserError(f"--recoverable {made}: no problem of a language model has such errors ({', '.join(known)})")
    cache = (
        "" if kind == "stub" else str(options.llm_cache or writer.companion_path(options.output, ".llm-cache.sqlite"))
    )
    return RewriteSettings(kind, LLM_SHARE if share is None else share, tuple(chosen), signature, cache)


def written_by(options: argparse.Namespace) -> list[Path]:
    """The files that the user names to be written."""
    return [path for path in (options.output, options.preview) if path]


def write_companions(
    options: argparse.Namespace,
    settings: PipelineSettings,
    report: Report,
    assigned: SplitAssignment,
    shown: PreviewSample,
    seconds: float,
) -> None:
    """The preview, then the manifest: its presence says that the data set is whole."""
    import orjson

    from degraders import files
    from degraders.dataset import preview, writer
    from degraders.dataset.report import build_manifest

    if options.preview:
        title = f"Preview of {options.output.name}"
        files.write_text(
            options.preview, preview.render_preview(shown.records(), title=title, facts=report.facts(shown))
        )
    asked = {
        "input": options.input or options.hf_dataset,
        "splits": options.fractions,
        "debug_tiny": options.debug_tiny,
    }
    content = build_manifest(report, assigned, settings, asked, options.output, seconds)
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    files.write_text(writer.companion_path(options.output, ".manifest.json"), text)


def settings_of(options: argparse.Namespace) -> PipelineSettings:
    """What the workers must know of the options."""
    from degraders import profiles
    from degraders.dataset.pipeline import PipelineSettings

    return PipelineSettings(
        degraders=tuple(item.name for item in options.chosen),
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
        profile=profiles.read_profile(options.profile) if options.profile else profiles.builtin_profile(),
        asked=options.degraders is not None,
        llm=llm_of(options),
        max_units=TINY_UNITS if options.debug_tiny else None,
    )


def jobs(options: argparse.Namespace, report: Report | None = None) -> Iterator[Job]:
    """The documents to read, in an order that is always the same; what is left out goes to the report."""
    from degraders.dataset import sources

    limits = {"text_field": options.text_field, "max_bytes": options.max_bytes}
    if options.hf_dataset:
        found = sources.discover_dataset(options.hf_dataset, options.hf_split, **limits)
    else:
        found = sources.discover(Path(options.input), **limits)
    left = TINY_DOCUMENTS if options.debug_tiny else -1
    for item in found:
        if not left:
            return
        if isinstance(item, sources.Job):
            left -= 1
            yield item
        elif report:
            report.skipped(item)


def input_bytes(options: argparse.Namespace) -> int | None:
    """How much there is to read, where that can be told beforehand."""
    from degraders.dataset import sources

    if options.debug_tiny:
        return 0
    if options.hf_dataset:
        return None
    return sources.total_bytes(Path(options.input))


def run_over(items: Iterable[Any], work: Any, run: Any, what: str, total: int | None) -> Iterator[Any]:
    """The results of the work on batches of jobs, in order, under a progress bar (on a terminal's stderr)."""
    from tqdm import tqdm

    from degraders.dataset.workers import batch_by_size

    sizes: deque[int] = deque()

    def sized(item: Any) -> int:
        return int((item[0] if isinstance(item, tuple) else item).size)

    def noted(found: Iterable[list[Any]]) -> Iterator[list[Any]]:
        for batch in found:
            sizes.append(sum(map(sized, batch)))
            yield batch

    with tqdm(total=total or None, desc=what, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        for result in run(work, noted(batch_by_size(items, sized))):
            bar.update(sizes.popleft())
            yield result


def table_of_degraders() -> str:
    """Every degrader: name, family, class, severity, what it does, an example."""
    from degraders.catalogue import all_degraders

    def shown(text: str) -> str:
        return text.rstrip("\n").replace("\n", "⏎")

    rows = [("name", "family", "class", "severity", "what it does", "example")]
    for item in all_degraders().values():
        good, bad = map(shown, item.example)
        rows.append((item.name, item.family, item.recoverable, str(item.severity), item.does, f"{good} → {bad}"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    )


def run_tests() -> int:
    """Check the installation: this stage's tests, then a data set of the sample documents that obeys the laws."""
    from degraders.dataset.records import check_record, read_records

    print("running the tests of stage 1 ...", flush=True)
    chosen = ["-m", "not slow and not fixer", str(ROOT / "tests")]
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q", *chosen], cwd=ROOT)
    sample = Path("sample_dataset.jsonl")
    print(f"\nbuilding {sample} from {ROOT.name}/sample_docs ...", flush=True)
    made = main(["--input", str(ROOT / "sample_docs"), "--output", str(sample), "--force"])
    broken = (
        [f"{row['id']}: {fault}" for row in read_records(sample) for fault in check_record(row)] if made == 0 else []
    )
    for line in broken[:10]:
        print(line, file=sys.stderr)
    ok = tests.returncode == 0 and made == 0 and not broken
    print(f"\ntests {'passed' if tests.returncode == 0 else 'FAILED'}; ", end="")
    print(f"{sample} {'built, every span exact' if made == 0 and not broken else 'FAILED'}")
    return 0 if ok else 1


def _severity(text: str) -> float | None:
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
    found = "".join(sorted(set(text.upper().replace(",", ""))))
    if not found or not set(found) <= set("ABC"):
        raise argparse.ArgumentTypeError(f"{text!r}: name some of the classes A, B and C; D is --allow-lossy")
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
