"""The work of the benchmark in its folder: divide the real pairs, make pairs, train, evaluate, report."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import train_qlora
from benchmarks.shared import ROOT
from benchmarks.worth import report, steps, texts
from benchmarks.worth.options import TINY, Options
from benchmarks.worth.sources import NOISE, OURS, REAL, TOOLS, PairSource, Task
from benchmarks.worth.tables import Counts, Result
from degraders import __version__
from degraders.catalogue import all_degraders
from degraders.dataset.pairs import read_pairs
from degraders.files import claim_folder, sha256_file, write_text
from fixer.prompts import PromptStyle

CORRECTORS, NOISE_SCRIPT = "benchmarks/peers/correctors.py", "benchmarks/peers/noise.py"
IDENTITY_RATE = 0.05


class Evaluation(NamedTuple):
    """eval.py's summary of some answers, the CPU-seconds of answering, and the counts of each text's repairs."""

    summary: dict[str, Any]
    cpu_seconds: float
    counts: Counts


def run_benchmark(options: Options) -> None:
    """Divide the real pairs, make all pairs, then train and evaluate each source."""
    with claim_folder(options.work):
        benchmark = Benchmark(options)
        benchmark.prepare()
        tasks = list(benchmark.tasks())
        for task in tasks:
            if task.source.trained:
                benchmark.make_pairs(task.learner)
        run_tasks(benchmark, tasks)
    print((options.work / "worth.md").read_text(encoding="utf-8"))


def run_tasks(benchmark: Benchmark, tasks: Sequence[Task]) -> None:
    """Run the tasks, `--jobs` at the same time, and update the report after each."""
    results: dict[Task, list[Result]] = {}
    with ThreadPoolExecutor(benchmark.options.jobs) as pool:
        task_of_future = {pool.submit(benchmark.run, task): task for task in tasks}
        try:
            for future in as_completed(task_of_future):
                results[task_of_future[future]] = future.result()
                benchmark.report([result for task in tasks for result in results.get(task, [])])
                print(f"{task_of_future[future].name}: done", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            steps.stop_scripts()
            raise


class Benchmark:
    """The steps of the benchmark in its work folder. All paths in it are relative, so that the folder may be moved."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.work = options.work.resolve()
        self.docs, self.real = options.docs.resolve(), options.real.resolve()
        self.model = str(Path(options.model).resolve()) if Path(options.model).exists() else options.model
        self.digests = {
            "docs": digest_folder(self.docs),
            "real": sha256_file(self.real),
            "code": digest_folder(ROOT / "degraders"),
        }
        self._count_tokens: Callable[[str], int] | None = None
        self._training_locks: defaultdict[Task, Lock] = defaultdict(Lock)
        self._bias_locks: defaultdict[str, Lock] = defaultdict(Lock)

    def tasks(self) -> Iterator[Task]:
        """The tasks, seed by seed. A source is skipped, with a message, if its environment or its part is missing."""
        options = self.options
        for seed in options.seeds:
            for source in options.contenders():
                if not source.trained and seed != options.seeds[0]:
                    continue
                if source.name == REAL and not (options.held_out or options.last):
                    print(
                        "real: skipped; it needs --held_out or --last, texts that it was not trained on",
                        file=sys.stderr,
                    )
                    continue
                need = "textattack" if source.name == "textattack" else "tools" if source.name in TOOLS else ""
                if need and not getattr(options, need):
                    print(f"{source.name}: skipped; --{need} names no interpreter", file=sys.stderr)
                    continue
                yield Task(source, seed if source.trained else None)

    # Pairs

    def prepare(self) -> None:
        """Write the parts of the real pairs, and the profiles calibrated on the owners for tuning."""
        options = self.options
        sizes: dict[str, Any] = {"errors": options.texts, "clean": options.clean, "recoverable": options.recoverable}
        sizes |= {"beyond": options.beyond, "max_chars": options.max_chars}
        folder = self.work / "real"

        def divide() -> float:
            parts = texts.divide_real_pairs(texts.read_records(self.real), **sizes)
            for name, part in parts.items():
                for kind, records in part._asdict().items():
                    texts.write_records(folder / f"{name}.{kind}.jsonl", records)
            return 0.0

        signature = {"real": self.digests["real"], "parts": list(report.PART_TITLES), **sizes}
        steps.run_once(self.work / "real.json", signature, folder, divide)
        tuning = folder / f"{texts.TUNING}.all.jsonl"
        profile = self.work / "profiles" / "realistic.json"

        def calibrate() -> float:
            arguments = ["--calibrate", "profiles/pairs.jsonl", "--output", "profiles/realistic.json"]
            texts.write_records(profile.with_name("pairs.jsonl"), self._of_same_kinds(texts.read_records(tuning)))
            return steps.call_script("data_prep.py", arguments, self.work, self.work / "logs" / "profile.log")

        inputs = {"pairs": sha256_file(tuning), "kinds": options.recoverable, "code": self.digests["code"]}
        steps.run_once(self.work / "profiles.json", inputs, profile.parent, calibrate)
        write_text(profile.with_name("uniform.json"), uniform_profile(profile))

    def _of_same_kinds(self, records: Iterable[texts.Record]) -> Iterator[texts.Record]:
        """The real pairs of the kinds that `--recoverable` names."""
        return (record for record in records if record["recoverable"] in self.options.recoverable)

    def make_pairs(self, task: Task) -> None:
        """Write the pairs that a task trains on to pairs/NAME.jsonl."""
        source, seed = task.source, task.seed or 0
        product = self.work / "pairs" / f"{task.name}.jsonl"
        if source.name == REAL:
            candidates = self._write_real_pairs()
        else:
            candidates = self._degrade(source if source.name not in NOISE else PairSource("realistic"), seed)
        style = self._style(source)
        budget = {"target_tokens": self.options.target_tokens, "model": self.model, "tiny": self.options.debug_tiny}
        signature = {"rows": sha256_file(candidates), **budget, "code": sha256_file(ROOT / NOISE_SCRIPT)}
        signature["answers"] = style.target_format

        def select() -> float:
            targets = {pair.id: style.target(pair).text for pair in read_pairs(candidates)}
            records = texts.select_within_budget(
                texts.read_records(candidates),
                tokens=lambda record: self.count_tokens(targets[record["id"]]),
                budget=self.options.target_tokens,
                seed=seed,
            )
            seconds = 0.0
            if source.name in NOISE:
                records, seconds = self._replace_errors(source.name, records, seed)
            texts.write_records(product, records)
            return seconds

        steps.run_once(product.with_suffix(".json"), signature, product, select)

    def _style(self, source: PairSource) -> PromptStyle:
        """The target format that a fixer of this source is trained with."""
        words = [*shlex.split(self.options.train_options), *source.train_options]
        return PromptStyle(target_format=train_qlora.build_parser().parse_known_args(words)[0].train_target_format)

    def _write_real_pairs(self) -> Path:
        """Write the real pairs of the owners for tuning, as training records."""
        records = texts.read_records(self.work / "real" / f"{texts.TUNING}.all.jsonl")
        product = self.work / "pairs" / "all" / f"{REAL}.jsonl"
        texts.write_records(product, map(texts.training_record, self._of_same_kinds(records)))
        return product

    def _degrade(self, source: PairSource, seed: int) -> Path:
        """All pairs that data_prep.py makes from the documents."""
        name = f"pairs/all/{source.name}-{seed}.jsonl"
        profile = profile_path(source.name)
        arguments = ["--output", name, "--seed", str(seed), "--profile", profile, "--force"]
        arguments += ["--n-per-doc", str(self.options.n_per_doc), "--identity-rate", str(IDENTITY_RATE)]
        arguments += [*shlex.split(self.options.data_options), *source.data_options]
        signature = {"arguments": arguments, "docs": self.digests["docs"], "code": self.digests["code"]}
        signature["profile"] = sha256_file(self.work / profile)
        product = self.work / name
        product.parent.mkdir(parents=True, exist_ok=True)

        def degrade() -> float:
            full = ["--input", str(self.docs), "--workers", "1", *arguments]
            log = self.work / "logs" / f"pairs-{source.name}-{seed}.log"
            return steps.call_script("data_prep.py", full, self.work, log)

        steps.run_once(product.with_name(f"{source.name}-{seed}.step.json"), signature, product, degrade)
        return product

    def _replace_errors(self, library: str, records: list[texts.Record], seed: int) -> tuple[list[texts.Record], float]:
        """The records with another library's errors instead of ours, and the CPU-seconds of making them."""
        folder = self.work / "noise"
        words, errors = folder / f"{library}-{seed}.words.jsonl", folder / f"{library}-{seed}.errors.jsonl"
        requests = [texts.noise_request(record, seed) for record in records]
        texts.write_records(words, (request for _, request in requests))
        python = self.options.textattack if library == "textattack" else None
        seconds = steps.call_script(
            NOISE_SCRIPT,
            [library, str(seed)],
            folder,
            self.work / "logs" / f"noise-{library}-{seed}.log",
            python=python or sys.executable,
            source=words,
            output=errors,
        )
        misspellings: list[Any] = [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]
        together = zip(records, requests, misspellings, strict=True)
        return [texts.apply_noise(record, ranges, changes) for record, (ranges, _), changes in together], seconds

    def count_tokens(self, text: str) -> int:
        """The number of the model's tokens in a text."""
        if self._count_tokens is None:
            from fixer.loading import load_tokenizer
            from fixer.tokens import text_ids

            tokenizer = load_tokenizer(TINY if self.options.debug_tiny else self.model)
            self._count_tokens = lambda text: len(text_ids(tokenizer, text))
        return self._count_tokens(text)

    # Training and evaluation

    def run(self, task: Task) -> list[Result]:
        """Train the task if it needs training, and evaluate it on each part."""
        training = self._train(task.learner) if task.source.trained else 0.0
        bias = self._choose_bias(task.source)
        return [self._measure(task, part, bias, training) for part in self._parts(task.source)]

    def _parts(self, source: PairSource) -> list[str]:
        """The parts to evaluate on: real pairs never on the owners they come from, variants on no others."""
        if source.base:
            return [texts.TUNING]
        enabled = {
            texts.TUNING: source.name != REAL,
            texts.HELD_OUT: self.options.held_out,
            texts.LAST: self.options.last,
        }
        return [part for part, is_enabled in enabled.items() if is_enabled]

    def _measure(self, task: Task, part: str, bias: float | None, training: float) -> Result:
        errors, clean = (self._evaluate(task, part, kind, bias) for kind in ("errors", "clean"))
        beyond = (
            self._evaluate(task, part, "beyond", bias).summary if part != texts.TUNING and self.options.beyond else None
        )
        return Result(
            source=task.source.name,
            seed=task.seed,
            part=part,
            errors=errors.summary,
            clean=clean.summary,
            training=training,
            answering=errors.cpu_seconds + clean.cpu_seconds,
            variant=bool(task.source.base),
            bias=bias,
            beyond=beyond,
            counts=errors.counts,
        )

    def _choose_bias(self, source: PairSource) -> float | None:
        """The `--keep_bias` with which the source's first seed has the best F0.5 on the owners for tuning, the smallest
        of equal ones; the middle one for real pairs, which were trained on these owners. None if nothing is trained,
        if the source sets it itself, or if answers do not copy the text."""
        candidates = sorted(self.options.keep_bias)
        copies_text = source.trained and self._style(source).target_format == "good_only"
        if not copies_text or "--keep_bias" in source.eval_options:
            return None
        if source.name == REAL or len(candidates) == 1:
            return candidates[(len(candidates) - 1) // 2]
        first = Task(source, self.options.seeds[0])
        with self._bias_locks[source.name]:
            self._train(first.learner)
            summaries = {bias: self._evaluate(first, texts.TUNING, "errors", bias).summary for bias in candidates}
        return max(candidates, key=lambda bias: float(summaries[bias]["figures"]["model"]["repair_f05"]["value"] or 0))

    def _train(self, task: Task) -> float:
        """Train the adapter in runs/NAME/adapter; returns its CPU-seconds."""
        options, folder = self.options, self.work / "runs" / task.name
        name = f"pairs/{task.name}.jsonl"
        base = [] if options.debug_tiny else ["--base_model", self.model]
        arguments = [*base, "--seed", str(task.seed), "--threads", str(options.threads), "--validation_share", "0"]
        arguments += [*shlex.split(options.train_options), *task.source.train_options]
        arguments += ["--debug_tiny"] * options.debug_tiny
        adapter = folder / "adapter"

        def train() -> float:
            resume = ["--resume"] if adapter.is_dir() and any(adapter.iterdir()) else []
            files = ["--dataset", name, "--save_dir", f"runs/{task.name}/adapter", "--save_every", "20", *resume]
            log = self.work / "logs" / f"{task.name}.log"
            return steps.call_script("train_qlora.py", [*files, *arguments], self.work, log, threads=options.threads)

        signature = {"arguments": arguments, "pairs": sha256_file(self.work / name)}
        with self._training_locks[task]:
            return steps.run_once(folder / "adapter.json", signature, adapter, train)

    def _evaluate(self, task: Task, part: str, kind: str, bias: float | None) -> Evaluation:
        """Evaluate a task's answers to the texts of one kind of a part."""
        where = f"runs/{task.name}/{part}.{kind}" + ("" if bias is None else f".bias_{bias:g}")
        pairs, folder = self.work / "real" / f"{part}.{kind}.jsonl", self.work / where
        model, signature = self._model_options(task, where, bias)
        arguments = ["--dataset", f"real/{part}.{kind}.jsonl", "--split", "all", "--embedding_model", "none", *model]

        def answer() -> float:
            folder.mkdir(parents=True, exist_ok=True)
            log = self.work / "logs" / f"{task.name}.log"
            correcting = self._correct(task.source.name, pairs, folder, log) if task.source.name in TOOLS else None
            full = [*arguments, "--out", f"{where}/results.csv"]
            evaluating = steps.call_script("eval.py", full, self.work, log, threads=self.options.threads)
            return evaluating if correcting is None else correcting

        signature |= {"arguments": arguments, "pairs": sha256_file(pairs), "version": __version__}
        seconds = steps.run_once(folder.with_name(f"{folder.name}.json"), signature, folder, answer)
        summary = json.loads((folder / "results.summary.json").read_text(encoding="utf-8"))
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            counts = [(float(row["tp"]), float(row["fp"]), float(row["fn"])) for row in csv.DictReader(file)]
        return Evaluation(summary, seconds, counts)

    def _model_options(self, task: Task, where: str, bias: float | None) -> tuple[list[str], dict[str, Any]]:
        """The options of eval.py that name what answers, and its digest."""
        name, options = task.source.name, self.options
        how = [*shlex.split(options.eval_options), *task.source.eval_options, "--threads", str(options.threads)]
        how += [] if bias is None else ["--keep_bias", f"{bias:g}"]
        if name in TOOLS:
            return ["--predictions", f"{where}/answers.jsonl", "--no_guard"], {"tool": sha256_file(ROOT / CORRECTORS)}
        if task.source.trained:
            adapter = f"runs/{task.learner.name}/adapter"
            weights = sha256_file(self.work / adapter / "adapter_model.safetensors")
            return ["--model", adapter, *how], {"adapter": weights}
        model = TINY if self.options.debug_tiny else self.model
        return ["--model", "copy" if name == "copy" else model, *how], {}

    def _correct(self, tool: str, pairs: Path, folder: Path, log: Path) -> float:
        """Write a tool's answers to answers.jsonl in the folder; returns its CPU-seconds."""
        requests, answers = folder / "questions.jsonl", folder / "answers.jsonl"
        texts.write_records(requests, map(texts.corrector_request, texts.read_records(pairs)))
        python = self.options.tools or sys.executable
        return steps.call_script(CORRECTORS, [tool], folder, log, python=python, source=requests, output=answers)

    def report(self, results: Sequence[Result]) -> None:
        """Write the report of the results so far, with the options of data_prep.py for each of our sources."""
        shared = f"--n-per-doc {self.options.n_per_doc} --identity-rate {IDENTITY_RATE} {self.options.data_options}"
        names = dict.fromkeys(result.source for result in results if result.source in OURS)
        commands = {
            name: shlex.join(["--profile", profile_path(name), *shlex.split(shared), *OURS[name]]) for name in names
        }
        report.write_report(self.work, self.options, self.digests, results, commands)


def profile_path(source: str) -> str:
    """The profile that data_prep.py uses for one of our sources, relative to the work folder."""
    return f"profiles/{'uniform' if source == 'uniform' else 'realistic'}.json"


def uniform_profile(profile: Path) -> str:
    """The profile with equal weights for all degraders, and for the alternatives of each."""
    content = json.loads(profile.read_text(encoding="utf-8"))
    weights = {
        alternative.key: 1 / len(degrader.alternatives)
        for degrader in all_degraders().values()
        for alternative in degrader.alternatives
    }
    return json.dumps({**content, "origin": "every degrader as likely", "weights": weights}, indent=2) + "\n"


def digest_folder(folder: Path) -> str:
    """The SHA-256 of the names and contents of all files in a folder."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()
