#!/usr/bin/env python3
"""Stage 3: score how well a model, or any other system, repairs documentation.

    python eval.py --model lora_out --dataset dataset.jsonl --out eval_results.csv

Reads pairs of bad and good text, generates or reads one prediction for each pair, applies the guard, and scores
every prediction beside the baseline `copy`, the unchanged input. Writes a CSV with one row per example, an HTML report
and, last, a JSON summary.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import (
    MAX_SEED,
    DefaultsHelp,
    Parser,
    comma_list,
    is_main,
    number,
    option_adder,
    run_script,
    whole_number,
)
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
    """Run the stage; returns the exit code: 0 done, 1 bad data or I/O, 2 usage, 128 + signal interrupted."""
    return run_script(build_parser(), argv, Options, run, describe_partial_output)


def run(options: Options) -> None:
    """Evaluate, while no other run writes the same results; the main process writes them."""
    from degraders.files import claim_files

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with claim_files([options.out] if is_main() else []):
        check_output(options)
        evaluate(options)


def evaluate(options: Options) -> None:
    """Read the pairs, get the predictions, score them, write the files and print the closing table."""
    started = time.monotonic()
    extra_metrics = load_extra_metrics(options.extra_metrics)
    data = read_evaluation_pairs(options)
    answers = predict(options, data)
    if answers is None:
        return
    results = score(options, data, answers)
    notes = add_neural_metrics(options, results, extra_metrics)
    facts = [*pair_facts(data), *answers.facts, *notes]
    write_files(options, data, answers, results, facts, seconds=time.monotonic() - started)
    print_table(options, results, [*facts, ("time", f"{time.monotonic() - started:.1f} s")])


# The options


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command line by name; UserError if they contradict each other."""

    dataset: Path | None
    hf_dataset: str | None
    hf_split: str
    coedit_task: str | None
    bad_field: str
    good_field: str
    context_field: str
    split: str | None
    limit: int | None
    seed: int
    debug_tiny: bool
    model: str | None
    predictions: Path | None
    prediction_field: str
    no_guard: bool
    base_model: str | None
    bits: int
    batch: int
    max_length: int | None
    temperature: float
    top_p: float
    keep_bias: float | None
    attention: str
    device_map: str
    trust_remote_code: bool
    threads: int | None
    embedding_model: str
    extra_metrics: Sequence[str]
    out: Path
    force: bool

    def __post_init__(self) -> None:
        if bool(self.dataset) == bool(self.hf_dataset):
            raise UserError("choose the data: pass either --dataset FILE or --hf_dataset NAME")
        if bool(self.model) == bool(self.predictions):
            raise UserError("choose what to evaluate: pass either --model NAME or --predictions FILE")
        if self.out.suffix != ".csv" or self.out.name == ".csv":
            raise UserError(f"--out {self.out}: the results are written as CSV; the name must end in .csv")
        if self.top_p < 1 and not self.temperature:
            raise UserError("--top_p has no effect at --temperature 0; pass --temperature 0.7, for example")

    @property
    def data_source(self) -> str:
        """The path or the hub name of the data set."""
        return self.hf_dataset or str(self.dataset)

    @property
    def language_model(self) -> str | None:
        """The model that generates the predictions; None for `copy`, `oracle` and predictions from a file."""
        return None if self.model in (COPY, ORACLE) else self.model

    @property
    def guard(self) -> bool:
        """Whether the guard replaces unsafe answers by the input."""
        return not self.no_guard

    @property
    def system_name(self) -> str:
        """A short name of the evaluated system."""
        path = Path(self.model or str(self.predictions))
        return path.resolve().name if path.exists() else str(path)

    @property
    def prediction_store(self) -> Path:
        """The file that keeps a model's predictions while it runs."""
        return self.beside(".predictions.jsonl")

    def beside(self, ending: str) -> Path:
        """The path of a companion of the CSV: `eval_results.html`."""
        return self.out.with_name(self.out.name.removesuffix(".csv") + ending)


def build_parser() -> argparse.ArgumentParser:
    """The command line; every option may be written with underscores or with dashes."""
    parser = Parser(
        prog="eval.py",
        description="Measure which errors a system repairs, which it misses, and what it damages.",
        formatter_class=DefaultsHelp,
        allow_abbrev=False,
    )
    _add_data_options(option_adder(parser.add_argument_group("data")))
    _add_system_options(option_adder(parser.add_argument_group("what to evaluate")))
    _add_generation_options(option_adder(parser.add_argument_group("how a model generates its answers")))
    _add_output_options(option_adder(parser.add_argument_group("metrics and output")))
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _add_data_options(option: Callable[..., None]) -> None:
    option("--dataset", type=Path, metavar="FILE", help="pairs to evaluate on: .jsonl, .jsonl.gz or .parquet, written "
           "by data_prep.py or your own")  # fmt: skip
    option("--hf_dataset", metavar="NAME", help="data set of the Hugging Face hub, or a local folder of one")
    option("--hf_split", default="validation", metavar="NAME", help="split of the hub data set")
    option("--coedit_task", metavar="TASK", help="use only rows of this CoEdIT task: gec, clarity, simplification, …")
    option("--bad_field", default="bad", metavar="NAME", help="field with the bad text")
    option("--good_field", default="good", metavar="NAME", help="field with the good text")
    option("--context_field", default="context", metavar="NAME", help="field with the headings above the text")
    option("--split", metavar="NAME", help="use only pairs of this split, or all (default: for a model, test, if the "
           "data has a train and a test split; otherwise all)")  # fmt: skip
    option("--limit", type=whole_number(1), metavar="N", help="use at most N pairs, sampled by --seed (default: all)")
    option("--seed", type=whole_number(0, MAX_SEED), default=42, metavar="N", help="seed of the sampling of pairs and "
           "answers, and of the intervals")  # fmt: skip
    option("--debug_tiny", action="store_true", help=f"use only the {TINY_PAIRS} shortest pairs")


def _add_system_options(option: Callable[..., None]) -> None:
    option("--model", metavar="NAME", help="adapter folder of train_qlora.py, model folder, or model of the hub; copy: "
           "the unchanged input; oracle: the good text")  # fmt: skip
    option("--predictions", type=Path, metavar="FILE", help="score the predictions of another tool: .jsonl, .jsonl.gz "
           "or .csv")  # fmt: skip
    option("--prediction_field", default="prediction", metavar="NAME", help="field of that file with the prediction")
    option("--no_guard", action="store_true", help="score the answers as they are; otherwise the guard replaces unsafe "
           "answers by the input, and the figures without the guard are reported, too")  # fmt: skip


def _add_generation_options(option: Callable[..., None]) -> None:
    option("--base_model", metavar="NAME", help="base model of the adapter, if it has moved (default: the one named in "
           "the adapter)")  # fmt: skip
    option("--bits", type=int, choices=(4, 16, 32), default=4, help="4: NF4 with double quantisation; 16 and 32: no "
           "quantisation")  # fmt: skip
    option("--batch", type=whole_number(1, 4096), default=8, metavar="N", help="texts per batch")
    option("--max_length", type=whole_number(16, 2**20), metavar="N", help="maximum tokens of prompt and answer "
           "together; longer texts are split (default: as the adapter was trained, or 512)")  # fmt: skip
    option("--temperature", type=number(0, 100), default=0.0, metavar="T", help="0: always the likeliest token; "
           "above 0: sampling")  # fmt: skip
    option("--top_p", type=number(1e-6, 1), default=1.0, metavar="P", help="sample from the likeliest tokens whose "
           "probabilities add up to P")  # fmt: skip
    option("--keep_bias", type=number(0), metavar="B", help="make a change only if its log-probability exceeds that of "
           "the input by this margin (nats); a higher value gives fewer, safer changes (default: 2, or 0 for adapters "
           "that do not answer with the whole text)")  # fmt: skip
    option("--attention", choices=("auto", "sdpa", "eager"), default="auto", help="implementation of attention")
    option("--device_map", default="auto", metavar="DEVICE", help="auto: this process's device; or cpu, cuda, cuda:1")
    option("--trust_remote_code", action="store_true", help="run code that comes with the model")
    option("--threads", type=whole_number(1, 4096), metavar="N", help="CPU threads (default: torch decides)")


def _add_output_options(option: Callable[..., None]) -> None:
    option("--embedding_model", default=EMBEDDING_MODEL, metavar="NAME", help="folder or hub name of a "
           "sentence-transformers model for the embedding cosine; skipped with a note if the model is not available; "
           "none: always skipped")  # fmt: skip
    option("--extra_metrics", type=comma_list, default=[], metavar="A,B", help="additional metrics of the evaluate "
           "library: hub names or paths")  # fmt: skip
    option("--out", type=Path, default=Path("eval_results.csv"), metavar="FILE", help="CSV file to write; "
           ".summary.json, .html and a model's .predictions.jsonl are written beside it")  # fmt: skip
    option("--force", action="store_true", help="replace existing results, and answers of a different run")


def check_output(options: Options) -> None:
    """UserError if results would be lost; a model's earlier answers are checked when it starts."""
    from degraders.files import refuse_existing

    if is_main() and not (options.language_model and options.prediction_store.exists()):
        refuse_existing(options.out, force=options.force)


# The pairs


@dataclass(frozen=True)
class EvaluationPairs:
    """The pairs to evaluate on and their digest; `unused` counts the other pairs of the `read` ones by reason."""

    pairs: Sequence[Pair]
    read: int
    unused: Counter[str]
    sha256: str
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len(self.pairs) + self.unused.total() != self.read:
            raise ValueError(f"{self.read} pairs were read, {len(self.pairs)} are used, {self.unused.total()} are not")


def read_evaluation_pairs(options: Options) -> EvaluationPairs:
    """The pairs to evaluate on, in the order of the data set and with unique ids."""
    from degraders.dataset.pairs import sample_pairs, with_unique_ids

    all_pairs, skipped = read_all_pairs(options)
    split = split_to_evaluate(options, all_pairs)
    in_split = [pair for pair in all_pairs if split in (None, pair.split)]
    if not in_split:
        splits = ", ".join(sorted({pair.split or "none" for pair in all_pairs}))
        raise UserError(f"{options.data_source}: has no pairs of split {split}; its splits: {splits} (--split)")
    # An untrained model generates up to its limit, which grows with the text: the debug run uses short texts.
    short = shortest_pairs(in_split, TINY_PAIRS) if options.debug_tiny else in_split
    sampled = sample_pairs(short, options.limit, seed=options.seed)
    pairs, renamed = with_unique_ids(sampled)
    unused = (
        Counter(
            {
                f"not in split {split}": len(all_pairs) - len(in_split),
                "too long for --debug_tiny": len(in_split) - len(short),
                "over --limit": len(short) - len(sampled),
            }
        )
        + skipped
    )
    notes = [f"{renamed:,} duplicate ids were numbered"] if renamed else []
    training_pairs = sum(pair.split == "train" for pair in pairs)
    if options.language_model and training_pairs:
        notes.append(f"{training_pairs:,} pairs are of the split train; a model trained on this data has learned them")
    return EvaluationPairs(pairs, len(all_pairs) + skipped.total(), unused, digest_of_pairs(pairs), notes)


def read_all_pairs(options: Options) -> tuple[list[Pair], Counter[str]]:
    """All pairs of the data set, and the number of skipped ones by reason; UserError if there are no pairs."""
    from degraders.dataset.pairs import Fields, read_hub_pairs, read_pairs
    from degraders.dataset.selection import no_pairs

    fields = Fields(options.bad_field, options.good_field, options.context_field, options.coedit_task)
    skipped: Counter[str] = Counter()
    if options.dataset:
        pairs = list(read_pairs(options.dataset, fields, skipped=skipped))
    else:
        pairs = list(read_hub_pairs(options.data_source, options.hf_split, fields, skipped=skipped))
    if not pairs:
        raise UserError(f"{options.data_source}: {no_pairs(skipped)}")
    return pairs, skipped


def split_to_evaluate(options: Options, pairs: Iterable[Pair]) -> str | None:
    """The split to evaluate on, None for all; by default a model is not evaluated on pairs it may have learned."""
    if options.split:
        return None if options.split == "all" else options.split
    return "test" if options.language_model and {"train", "test"} <= {pair.split for pair in pairs} else None


def shortest_pairs(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """The pairs with the shortest bad texts, in their order."""
    longest = sorted(len(pair.bad) for pair in pairs)[:count][-1]
    return [pair for pair in pairs if len(pair.bad) <= longest][:count]


def digest_of_pairs(pairs: Iterable[Pair]) -> str:
    """The SHA-256 of the content of the pairs, which identifies the data in signatures."""
    digest = sha256()
    for pair in pairs:
        content = (pair.id, pair.context, pair.format, pair.bad, pair.good, pair.spans)
        digest.update(f"{content!r}{pair.instruction}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def pair_facts(data: EvaluationPairs) -> list[tuple[str, str]]:
    """The lines of the closing table about the pairs."""
    facts = [("pairs", f"{len(data.pairs):,} of {data.read:,}")]
    facts += [(f"  {reason}", f"{count:,}") for reason, count in data.unused.items()]
    return [*facts, *(("note", note) for note in data.notes)]


# The predictions


@dataclass(frozen=True)
class PredictionSet:
    """One prediction for each pair, the signature of the system that made them, and lines for the closing table."""

    predictions: Sequence[Prediction]
    signature: dict[str, Any]
    facts: Sequence[tuple[str, str]] = ()


def predict(options: Options, data: EvaluationPairs) -> PredictionSet | None:
    """The predictions of the evaluated system; None in all processes but the main one, which scores and writes."""
    if options.language_model:
        return predict_with_model(options, options.language_model, data)
    if not is_main():
        return None
    if options.predictions:
        return read_prediction_set(options, options.predictions, data.pairs)
    return predict_baseline(str(options.model), data.pairs)


def predict_baseline(name: str, pairs: Sequence[Pair]) -> PredictionSet:
    """`copy` predicts the input, `oracle` the good text."""
    from fixer.predictions import Prediction

    texts = [pair.bad if name == COPY else pair.good for pair in pairs]
    predictions = [Prediction(pair.id, text, text) for pair, text in zip(pairs, texts, strict=True)]
    return PredictionSet(predictions, {"model": name})


def read_prediction_set(options: Options, path: Path, pairs: Sequence[Pair]) -> PredictionSet:
    """The predictions that another tool wrote, after the guard."""
    from degraders.files import sha256_file
    from fixer.predictions import read_predictions

    texts, unmatched = read_predictions(path, pairs, field=options.prediction_field)
    predictions = [apply_guard(pair, text, guard_on=options.guard) for pair, text in zip(pairs, texts, strict=True)]
    signature = {"predictions": path.name, "sha256": sha256_file(path)[:16], "guard": options.guard}
    facts = [("  predictions without a pair", f"{unmatched:,}")] if unmatched else []
    return PredictionSet(predictions, signature, facts)


def apply_guard(pair: Pair, text: str, *, guard_on: bool) -> Prediction:
    """The prediction of another tool, replaced by the input if the guard refuses it."""
    from fixer.guard import EMPTY, guard
    from fixer.predictions import Prediction

    reason = guard(pair.bad, text, format=pair.format, ended=True) if guard_on else ""
    problem = EMPTY if pair.bad.strip() and not text.strip() else ""
    return Prediction(pair.id, text, pair.bad if reason else text, problem, guard=reason, refused=int(bool(reason)))


def predict_with_model(options: Options, model: str, data: EvaluationPairs) -> PredictionSet | None:
    """The answers of a model; answers that an earlier run with the same signature stored are reused."""
    import torch

    from fixer.answering import AnswerSettings, answer_pairs, default_keep_bias
    from fixer.generation import Sampling
    from fixer.predictions import PredictionStore

    if options.threads:
        torch.set_num_threads(options.threads)
    keep_bias = default_keep_bias(model) if options.keep_bias is None else options.keep_bias
    settings = AnswerSettings(
        model=model,
        base=options.base_model,
        bits=options.bits,
        max_length=options.max_length,
        batch=options.batch,
        sampling=Sampling(options.temperature, options.top_p, options.seed, keep_bias),
        guarded=options.guard,
        device_map=options.device_map,
        attention=options.attention,
        trust_remote_code=options.trust_remote_code,
    )
    signature = settings.signature()
    run_signature = {"version": __version__, "data": data.sha256, "pairs": len(data.pairs), **signature}
    store = PredictionStore(options.prediction_store, run_signature, process=int(os.environ.get("RANK", "0")))
    answered = answer_pairs(settings, data.pairs, store, restart=options.force)
    if answered is None:
        return None
    generated = len(answered.predictions) - answered.reused
    facts = [("answers", f"{generated:,} generated, {answered.reused:,} reused")]
    if answered.tokens:
        rate = f"{answered.tokens / answered.seconds:,.0f} tokens per second"
        processes = "" if answered.processes == 1 else f", {answered.processes} processes"
        facts.append(("  speed", f"{answered.tokens:,} tokens in {answered.seconds:.1f} s, {rate}{processes}"))
    return PredictionSet(answered.predictions, signature, facts)


# The scores


def score(options: Options, data: EvaluationPairs, answers: PredictionSet) -> Results:
    """The metrics of the predictions, of the same answers without the guard, and of the inputs."""
    from tqdm import tqdm

    from fixer.guard import guard
    from scoring.results import assess_predictions

    guard_on = bool(answers.signature.get("guard"))
    refused_good_texts = 0
    if guard_on:
        reasons = (guard(pair.bad, pair.good, format=pair.format, ended=True) for pair in data.pairs)
        refused_good_texts = sum(map(bool, reasons))

    def progress(pairs: Iterable[Any]) -> Iterable[Any]:
        return tqdm(pairs, desc="scoring", unit="text", leave=False, delay=2)

    return assess_predictions(
        data.pairs,
        answers.predictions,
        seed=options.seed,
        guarded=guard_on,
        refused_good_texts=refused_good_texts,
        progress=progress,
    )


def load_extra_metrics(names: Sequence[str]) -> ExtraMetrics | None:
    """The additional metrics of the evaluate library; loaded first, so that a wrong name fails at once."""
    from scoring.neural import ExtraMetrics

    return ExtraMetrics(names) if names and is_main() else None


def add_neural_metrics(options: Options, results: Results, extra_metrics: ExtraMetrics | None) -> list[tuple[str, str]]:
    """Add the embedding cosine, if its model is available, and the extra metrics; returns notes for the table."""
    from scoring.neural import embedding_cosine
    from scoring.results import MODEL

    pairs = [example.pair for example in results.examples]
    bad, good = [pair.bad for pair in pairs], [pair.good for pair in pairs]
    texts = {MODEL: [example.prediction.text for example in results.examples], COPY: bad}
    if extra_metrics:
        results.extra = {system: extra_metrics(bad, predicted, good) for system, predicted in texts.items()}
    if options.embedding_model == "none":
        return []
    try:
        cosines = embedding_cosine([*texts[MODEL], *texts[COPY]], [*good, *good], options.embedding_model)
    except UserError as error:
        return [("embedding cosine", f"not computed for {len(pairs):,} texts: {error}")]
    results.cosines = {MODEL: cosines[: len(pairs)], COPY: cosines[len(pairs) :]}
    return []


# The output


def write_files(
    options: Options,
    data: EvaluationPairs,
    answers: PredictionSet,
    results: Results,
    facts: Sequence[tuple[str, str]],
    *,
    seconds: float,
) -> None:
    """Write the CSV, the report and, last, the summary: if it is present, all files are complete."""
    import orjson

    from degraders.files import write_text
    from degraders.manifest import build_manifest
    from scoring.page import render_report
    from scoring.results import examples_csv, results_summary

    data_name = Path(options.data_source).name
    signature = {
        "version": __version__,
        **answers.signature,
        "data": {"name": data_name, "sha256": data.sha256},
        "pairs": len(data.pairs),
        "split": options.split,
        "limit": options.limit,
        "seed": options.seed,
    }
    summary_path = options.beside(".summary.json")
    summary_path.unlink(missing_ok=True)
    write_text(options.out, examples_csv(results))
    report = render_report(
        results,
        title=f"{options.system_name} on {data_name}",
        system_name=options.system_name,
        facts=report_facts(data, answers, results),
        signature=signature_line(signature),
    )
    write_text(options.beside(".html"), report)
    content = {
        "signature": signature,
        "signature_line": signature_line(signature),
        "options": asdict(options),
        "pairs": {"read": data.read, "evaluated": len(data.pairs), "unused": dict(data.unused)},
        **results_summary(results),
        "notes": [f"{name.strip()}: {value}" for name, value in facts],
        "seconds": round(seconds, 2),
    }
    summary = build_manifest("eval.py", content, packages=PACKAGES)
    layout = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    write_text(summary_path, orjson.dumps(summary, default=str, option=layout).decode())


def report_facts(data: EvaluationPairs, answers: PredictionSet, results: Results) -> list[tuple[str, str]]:
    """Names and values for the header of the report."""
    facts = [("pairs", f"{len(data.pairs):,}"), ("errors", f"{sum(len(pair.spans) for pair in data.pairs):,}")]
    facts += [
        (name.replace("_", " "), str(answers.signature[name]))
        for name in ("base_model", "bits")
        if answers.signature.get(name)
    ]
    return [*facts, ("guard", "on" if results.guarded else "off"), ("version", __version__)]


def signature_line(signature: dict[str, Any]) -> str:
    """The signature in one line: `version:…|model:…|data:…`. Compare systems only on the same data, pairs and seed."""
    flat = {**signature, "data": f"{signature['data']['name']}:{signature['data']['sha256'][:12]}"}
    return "|".join(f"{name}:{value}" for name, value in flat.items() if value not in (None, ""))


def print_table(options: Options, results: Results, facts: Sequence[tuple[str, str]]) -> None:
    """Print the closing table on stdout."""
    from scoring.results import results_facts, results_table

    paths = [options.out, options.beside(".summary.json"), options.beside(".html")]
    if options.language_model:
        paths.append(options.prediction_store)
    written = [("" if place else "written", str(path)) for place, path in enumerate(paths)]
    print(results_table(results, options.system_name, [*results_facts(results), *facts, *written]))


def describe_partial_output(options: Options) -> str:
    """What an interrupted run has written, and how to continue it."""
    store = options.prediction_store
    if not options.language_model or not store.exists():
        return "nothing was written"
    return f"the answers so far are in {store}; run the same command again to continue"


if __name__ == "__main__":
    sys.exit(main())
