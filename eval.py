#!/usr/bin/env python3
"""Stage 3: a fixer and pairs of bad and good text in; what it mended, what it left and what it harmed out.

    python eval.py --model lora_out --dataset dataset.jsonl --out eval_results.csv

Reads the pairs; lets a model answer, or takes answers made elsewhere; guards them; scores every one, and beside it
`copy`, the input as it was; writes a CSV with a row an example, a page to look at, and the summary last.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import DefaultsHelp, comma_list, is_main, number, option_adder, run_script, whole_number
from degraders import __version__
from degraders.errors import UserError

if TYPE_CHECKING:
    from degraders.dataset.pairs import Pair
    from fixer.predictions import Prediction
    from scoring.neural import ExtraMetrics
    from scoring.results import Results

TINY_PAIRS = 8
COPY, ORACLE = "copy", "oracle"
EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "sentence-transformers", "evaluate")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 130 interrupted."""
    parser = build_parser()
    options = parser.parse_args(argv)
    check_usage(parser, options)
    return run_script(parser.prog, lambda: evaluate(options), lambda: what_remains(options))


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option is also understood with dashes for underscores, and the reverse."""
    parser = argparse.ArgumentParser(
        prog="eval.py",
        description="Measure what a fixer of documentation mends, what it leaves, and what it harms.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    _data_options(option_adder(parser.add_argument_group("data")))
    _answer_options(option_adder(parser.add_argument_group("what is evaluated")))
    _model_options(option_adder(parser.add_argument_group("how a model answers")))
    _metric_options(option_adder(parser.add_argument_group("metrics and output")))
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _data_options(group: Callable[..., None]) -> None:
    group("--dataset", type=Path, metavar="FILE", help=".jsonl, .jsonl.gz or .parquet, of data_prep.py or your own")
    group("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder of one")
    group("--hf_split", default="validation", metavar="NAME", help="split of that data set")
    group("--coedit_task", metavar="TASK", help="only rows of this task of CoEdIT: gec, clarity, simplification, …")
    group("--bad_field", default="bad", metavar="NAME", help="field that holds the bad text")
    group("--good_field", default="good", metavar="NAME", help="field that holds the good text")
    group("--context_field", default="context", metavar="NAME", help="field that holds what stands above the text")
    group("--split", metavar="NAME", help="only pairs of this split, or all (none: for a model, test, if the data has "
          "a split to train on and one to test on; otherwise all)")  # fmt: skip
    group("--limit", type=whole_number(1), metavar="N", help="at most so many pairs, drawn by the seed (none: all)")
    group("--seed", type=int, default=42, help="the same seed gives the same pairs, samples and intervals")
    group("--debug_tiny", action="store_true", help=f"only the {TINY_PAIRS} shortest pairs")


def _answer_options(group: Callable[..., None]) -> None:
    group("--model", metavar="NAME", help="adapter folder of train_qlora.py, model folder or model of the hub; copy: "
          "the input itself; oracle: the good text itself")  # fmt: skip
    group("--predictions", type=Path, metavar="FILE", help=".jsonl, .jsonl.gz or .csv of answers made elsewhere")
    group("--prediction_field", default="prediction", metavar="NAME", help="its field that holds the answer")
    group("--no_guard", action="store_true", help="score answers as they are; else the guard puts the input in place "
          "of those that look unsafe, and both figures are shown")  # fmt: skip


def _model_options(group: Callable[..., None]) -> None:
    group("--base_model", metavar="NAME", help="base model of an adapter, if it has moved (none: as the adapter says)")
    group("--bits", type=int, choices=(4, 16, 32), default=4, help="4: NF4, double quantisation; or no quantisation")
    group("--batch", type=whole_number(1), default=8, metavar="N", help="texts that are answered at once")
    group("--max_length", type=whole_number(16), metavar="N", help="tokens of prompt and answer, longer texts are "
          "answered in pieces (none: as the adapter was trained, or 512)")  # fmt: skip
    group("--temperature", type=number(0), default=0.0, metavar="T", help="0: the likeliest token; else sampled")
    group("--top_p", type=number(1e-6, 1), default=1.0, metavar="P", help="sample from the likeliest P of probability")
    group("--keep_bias", type=number(0), metavar="B", help="nats by which a change must be likelier than going on with "
          "the input: more gives fewer, surer changes (none: 2, or 0 for answers that are no text)")  # fmt: skip
    group("--attention", choices=("auto", "sdpa", "eager"), default="auto", help="how attention is computed")
    group("--device_map", default="auto", metavar="DEVICE", help="auto: this process's device; or cpu, cuda, cuda:1")
    group("--trust_remote_code", action="store_true", help="run code that comes with the model")
    group("--threads", type=whole_number(1), metavar="N", help="CPU threads (none: as torch chooses)")


def _metric_options(group: Callable[..., None]) -> None:
    group("--embedding_model", default=EMBEDDING_MODEL, metavar="NAME", help="folder or hub name of a "
          "sentence-transformers model; left out, with a word, where it is not at hand; none: never asked")  # fmt: skip
    group("--extra_metrics", type=comma_list, default=[], metavar="A,B", help="metrics of the evaluate library, too: "
          "hub names or paths")  # fmt: skip
    group("--out", type=Path, default=Path("eval_results.csv"), metavar="FILE", help="CSV; .summary.json, .html and a "
          "model's .predictions.jsonl stand beside it")  # fmt: skip
    group("--force", action="store_true", help="replace results, and answers of another run, that are there")


def check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse, as wrong usage, what no data could make right."""
    if bool(options.dataset) == bool(options.hf_dataset):
        parser.error("name what to evaluate on: --dataset FILE or --hf_dataset NAME, one of them")
    if bool(options.model) == bool(options.predictions):
        parser.error("name what to evaluate: --model NAME or --predictions FILE, one of them")
    if options.out.suffix != ".csv" or options.out.name == ".csv":
        parser.error(f"--out {options.out}: a CSV is written; let its name end in .csv")
    if options.top_p < 1 and not options.temperature:
        parser.error("--top_p: nothing is sampled at --temperature 0; pass --temperature 0.7")


@dataclass
class Chosen:
    """The pairs to evaluate on; how many were read, what was left out, by reason, and a digest of those that stay."""

    pairs: list[Pair]
    read: int
    sha256: str
    unused: Counter[str]
    notes: list[str] = field(default_factory=list)


@dataclass
class Answers:
    """The predictions, what is told of how they came about, and the signature's part on them."""

    predictions: list[Prediction]
    signature: dict[str, Any]
    facts: list[tuple[str, str]] = field(default_factory=list)


def evaluate(options: argparse.Namespace) -> None:
    """Read, answer, score, write, report."""
    started = time.monotonic()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    refuse_taken(options)
    extra = load_extra(options.extra_metrics)
    chosen = choose_pairs(options)
    answers = answer_pairs(options, chosen)
    if answers is None:
        return
    results = score(options, chosen, answers)
    left_out = add_neural(options, results, extra)
    facts = [*facts_of(chosen), *answers.facts, *left_out]
    write(options, chosen, answers, results, facts, time.monotonic() - started)
    report(options, results, [*facts, ("time", f"{time.monotonic() - started:.1f} s")])


# The pairs


def choose_pairs(options: argparse.Namespace) -> Chosen:
    """The pairs of the data set that are evaluated on, in its order; every id stands once."""
    from degraders.dataset.pairs import Fields, read_hub_pairs, read_pairs, sample_pairs, with_unique_ids

    fields = Fields(options.bad_field, options.good_field, options.context_field, options.coedit_task)
    where = options.hf_dataset or str(options.dataset)
    found = (
        read_hub_pairs(where, options.hf_split, fields) if options.hf_dataset else read_pairs(options.dataset, fields)
    )
    all_pairs = list(found)
    if not all_pairs:
        raise UserError(f"{where}: holds no pair; is the file empty, or --hf_split or --coedit_task wrong?")
    split = split_of(options, all_pairs)
    pairs = [pair for pair in all_pairs if split in (None, pair.split)]
    unused = Counter({f"not of the split {split}": len(all_pairs) - len(pairs)})
    if not pairs:
        splits = ", ".join(sorted({pair.split or "none" for pair in all_pairs}))
        raise UserError(f"{where}: no pair of the split {split}; it has {splits} (--split)")
    if options.debug_tiny:
        # A model that has learned little answers until it is stopped: a byte a token, and many for a long text.
        longest = sorted(len(pair.bad) for pair in pairs)[:TINY_PAIRS][-1]
        short = [pair for pair in pairs if len(pair.bad) <= longest][:TINY_PAIRS]
        unused["longer, with --debug_tiny"] = len(pairs) - len(short)
        pairs = short
    few = sample_pairs(pairs, options.limit, seed=options.seed)
    unused["over --limit"] = len(pairs) - len(few)
    pairs, renamed = with_unique_ids(few)
    digest = sha256()
    for pair in pairs:
        told = (pair.id, pair.context, pair.format, pair.bad, pair.good, pair.spans)
        digest.update(repr(told).encode("utf-8", "surrogatepass"))
    notes = [f"{renamed:,} ids stood more than once and got a number"] if renamed else []
    seen = sum(pair.split == "train" for pair in pairs)
    if is_model(options) and seen:
        notes.append(f"{seen:,} pairs are of the split train: a model trained on this data has learned them")
    return Chosen(pairs, len(all_pairs), digest.hexdigest(), +unused, notes)


def split_of(options: argparse.Namespace, pairs: Iterable[Pair]) -> str | None:
    """The split to evaluate on, None for all: a model may have learned what the data does not set aside as a test."""
    if options.split:
        return None if options.split == "all" else str(options.split)
    return "test" if is_model(options) and {"train", "test"} <= {pair.split for pair in pairs} else None


def facts_of(chosen: Chosen) -> list[tuple[str, str]]:
    rows = [("pairs", f"{len(chosen.pairs):,} of {chosen.read:,}")]
    rows += [(f"  {reason}", f"{count:,}") for reason, count in chosen.unused.items()]
    return [*rows, *(("note", note) for note in chosen.notes)]


# The answers


def answer_pairs(options: argparse.Namespace, chosen: Chosen) -> Answers | None:
    """The predictions of what is evaluated; None in all processes but the main one."""
    from fixer.predictions import Prediction, read_predictions

    pairs = chosen.pairs
    if is_model(options):
        return answer_by_model(options, chosen)
    if not is_main():
        return None
    if options.predictions:
        from degraders.files import sha256_file

        texts, others = read_predictions(options.predictions, pairs, field=options.prediction_field)
        facts = [("  answers to no pair", f"{others:,}")] if others else []
        signature = {"predictions": options.predictions.name, "sha256": sha256_file(options.predictions)[:16]}
        made = [guarded(pair, text, guard_on=not options.no_guard) for pair, text in zip(pairs, texts, strict=True)]
        return Answers(made, {**signature, "guard": not options.no_guard}, facts)
    texts = [pair.bad if options.model == COPY else pair.good for pair in pairs]
    return Answers([Prediction(p.id, t, t) for p, t in zip(pairs, texts, strict=True)], {"model": options.model})


def guarded(pair: Pair, text: str, *, guard_on: bool) -> Prediction:
    """An answer made elsewhere, after the guard."""
    from fixer.guard import EMPTY, guard
    from fixer.predictions import Prediction

    reason = guard(pair.bad, text, format=pair.format, ended=True) if guard_on else ""
    problem = EMPTY if pair.bad.strip() and not text.strip() else ""
    return Prediction(pair.id, text, pair.bad if reason else text, problem, reason, refused=int(bool(reason)))


def answer_by_model(options: argparse.Namespace, chosen: Chosen) -> Answers | None:
    """What a model answers; answers that are there from an earlier run of the same kind are not made again."""
    import torch

    from fixer.answering import AnswerSettings, answer_pairs, default_keep_bias
    from fixer.generation import Sampling
    from fixer.predictions import PredictionStore

    if options.threads:
        torch.set_num_threads(options.threads)
    bias = default_keep_bias(options.model) if options.keep_bias is None else options.keep_bias
    asked = AnswerSettings(
        model=options.model,
        base=options.base_model,
        bits=options.bits,
        window=options.max_length,
        batch=options.batch,
        sampling=Sampling(options.temperature, options.top_p, options.seed, bias),
        guarded=not options.no_guard,
        device_map=options.device_map,
        attention=options.attention,
        trust_remote_code=options.trust_remote_code,
    )
    signature = asked.signature()
    whole = {"version": __version__, "data": chosen.sha256, "pairs": len(chosen.pairs), **signature}
    kept = PredictionStore(beside(options, ".predictions.jsonl"), whole, process=int(os.environ.get("RANK", "0")))
    found = answer_pairs(asked, chosen.pairs, kept, begin_anew=options.force)
    if found is None:
        return None
    facts = [("answers", f"{len(found.predictions) - found.found:,} made, {found.found:,} were there")]
    if found.tokens:
        rate = f"{found.tokens / found.seconds:,.0f} tokens a second"
        by = "" if found.processes == 1 else f", {found.processes} processes"
        facts.append(("  speed", f"{found.tokens:,} tokens in {found.seconds:.1f} s, {rate}{by}"))
    return Answers(found.predictions, signature, facts)


# The scores


def score(options: argparse.Namespace, chosen: Chosen, answers: Answers) -> Results:
    """The metrics of every answer, of the answers as they were made, and of the inputs."""
    from tqdm import tqdm

    from fixer.guard import guard
    from scoring.results import assess_predictions

    guard_on = bool(answers.signature.get("guard"))
    refusable = 0
    if guard_on:
        refusable = sum(bool(guard(pair.bad, pair.good, format=pair.format, ended=True)) for pair in chosen.pairs)

    def shown(work: Iterable[Any]) -> Iterable[Any]:
        return tqdm(work, desc="scoring", unit="text", leave=False, delay=2)

    return assess_predictions(
        chosen.pairs, answers.predictions, seed=options.seed, guarded=guard_on, refusable=refusable, shown=shown
    )


def load_extra(names: Sequence[str]) -> ExtraMetrics | None:
    """The metrics of the evaluate library that were asked for; loaded first, so that a wrong name costs nothing."""
    from scoring.neural import ExtraMetrics

    return ExtraMetrics(names) if names and is_main() else None


def add_neural(options: argparse.Namespace, results: Results, extra: ExtraMetrics | None) -> list[tuple[str, str]]:
    """Add the embedding cosine, if its model is at hand, and the extra metrics; returns what to tell."""
    from scoring.neural import embedding_cosine
    from scoring.results import COPY, MODEL

    pairs = [example.pair for example in results.examples]
    texts = {MODEL: [example.made.text for example in results.examples], COPY: [pair.bad for pair in pairs]}
    good = [pair.good for pair in pairs]
    if extra:
        results.extra = {system: extra([p.bad for p in pairs], made, good) for system, made in texts.items()}
    if options.embedding_model == "none":
        return []
    try:
        found = embedding_cosine([*texts[MODEL], *texts[COPY]], [*good, *good], options.embedding_model)
    except UserError as error:
        return [("embedding cosine", f"left out for {len(pairs):,} texts: {error}")]
    results.cosines = {MODEL: found[: len(pairs)], COPY: found[len(pairs) :]}
    return []


# What is written


def refuse_taken(options: argparse.Namespace) -> None:
    """UserError if results would be lost, or could not be written; answers are compared when the signature is known."""
    from degraders.files import refuse_existing

    if not is_main():
        return
    if not options.out.parent.is_dir():
        raise UserError(f"{options.out.parent}: is no folder; make it, or choose another --out")
    if not os.access(options.out.parent, os.W_OK):
        raise UserError(f"{options.out.parent}: cannot be written to; choose another --out")
    if not (is_model(options) and beside(options, ".predictions.jsonl").exists()):
        refuse_existing(options.out, force=options.force)


def write(
    options: argparse.Namespace,
    chosen: Chosen,
    answers: Answers,
    results: Results,
    facts: Sequence[tuple[str, str]],
    seconds: float,
) -> None:
    """The CSV and the page, and the summary last: its presence says that all is there."""
    import orjson

    from degraders import files
    from scoring.page import render_report
    from scoring.results import examples_csv, results_summary

    data = {"name": Path(options.hf_dataset or options.dataset).name, "sha256": chosen.sha256}
    signature = {"version": __version__, **answers.signature, "data": data, "pairs": len(chosen.pairs)}
    signature |= {"split": options.split, "limit": options.limit, "seed": options.seed}
    beside(options, ".summary.json").unlink(missing_ok=True)
    files.write_text(options.out, examples_csv(results))
    line = signature_line(signature)
    title = f"{named(options)} on {data['name']}"
    heads = [("pairs", f"{len(chosen.pairs):,}"), ("errors", f"{sum(len(pair.spans) for pair in chosen.pairs):,}")]
    heads += [
        (name.replace("_", " "), str(answers.signature[name]))
        for name in ("base_model", "bits")
        if answers.signature.get(name)
    ]
    heads += [("guard", "on" if results.guarded else "off"), ("version", __version__)]
    page = render_report(results, title=title, named=named(options), facts=heads, signature=line)
    files.write_text(beside(options, ".html"), page)
    content = {
        "tool": "eval.py",
        "signature": signature,
        "signature_line": line,
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        "pairs": {"read": chosen.read, "evaluated": len(chosen.pairs), "unused": dict(chosen.unused)},
        **results_summary(results),
        "told": [f"{name.strip()}: {value}" for name, value in facts],
        "packages": packages(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    files.write_text(beside(options, ".summary.json"), text)


def signature_line(signature: dict[str, Any]) -> str:
    """What must be the same for figures to be compared, in one line."""
    flat = {**signature, "data": f"{signature['data']['name']}:{signature['data']['sha256'][:12]}"}
    return "|".join(f"{name}:{value}" for name, value in flat.items() if value not in (None, ""))


def packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def report(options: argparse.Namespace, results: Results, facts: Sequence[tuple[str, str]]) -> None:
    """The closing table on stdout."""
    from scoring.results import results_facts as of_results
    from scoring.results import results_table

    endings = (".predictions.jsonl",) if is_model(options) else ()
    paths = [options.out, *(beside(options, ending) for ending in (".summary.json", ".html", *endings))]
    written = [("" if number else "written", str(path)) for number, path in enumerate(paths)]
    print(results_table(results, named(options), [*of_results(results), *facts, *written]))


def beside(options: argparse.Namespace, ending: str) -> Path:
    """The path of a companion of the CSV: `eval_results.html`."""
    path: Path = options.out
    return path.with_name(path.name.removesuffix(".csv") + ending)


def named(options: argparse.Namespace) -> str:
    """A short name of what is evaluated."""
    name = Path(options.model or options.predictions)
    return name.resolve().name if name.exists() else str(name)


def is_model(options: argparse.Namespace) -> bool:
    return bool(options.model) and options.model not in (COPY, ORACLE)


def what_remains(options: argparse.Namespace) -> str:
    """What an interrupted run leaves."""
    kept = beside(options, ".predictions.jsonl")
    if not is_model(options) or not kept.exists():
        return "nothing was written"
    return f"the answers so far are in {kept}, the same command goes on from there"


if __name__ == "__main__":
    sys.exit(main())
