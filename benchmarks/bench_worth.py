#!/usr/bin/env python3
"""What pairs are worth: fixers trained on this project's pairs and on other libraries' noise, on errors of real people.

    python benchmarks/bench_worth.py --docs DOCS --real real_pairs.jsonl --model google/gemma-3-270m --work worth

For each source of pairs and each seed: pairs of the same good documents, with as many target tokens as
`--target_tokens` says, train the same model in 4 bits with the same recipe, once over the pairs; then eval.py measures
the fixer on real pairs (`bad`, `good`, `edits`, `repo`, `recoverable`) and on real texts that are to be left alone.

- `realistic`: data_prep.py as `--made` says, its profile calibrated on the owners to tune on alone; `uniform`: every
  degrader as likely; `surface`: spelling and grammar, with punctuation and capitals, alone;
- `nlpaug-keyboard`, `nlpaug-spelling`, `textattack`: what these libraries make of the words of prose in the same texts,
  as many errors in each as `realistic` has there; textattack wants an environment of its own (`--textattack PYTHON`);
- `real`: the real pairs of the owners to tune on, where the others are asked: what pairs as real as can be are worth;
- `none`: the model as it is; `copy`: the text as it is;
- `codespell`, `languagetool`, `harper`: their first suggestions, applied unseen, those of the last two not in code,
  addresses and markup (`--tools PYTHON`, an environment with benchmarks/requirements-tools.txt).

The real pairs are divided by owner. What is tuned sees one part, and how much surer than its text a fixer must be, of
`--keep_bias`, is chosen there, for each source with its first seed; `--held_out` asks the other part, too, and some of
its pairs with errors that the text does not tell. `--last` asks, of the same owners, all that it leaves: for the
very last run, when nothing is open any more. A variant, `--variant 'edits=--train_target_format edits'`, is
`realistic`, or what `--vary` names, with other options of data_prep.py, train_qlora.py or eval.py, on the part to tune
on alone. What is done is not done again: after an interruption, the same command goes on, and one with more sources,
seeds or variants adds to it. The figures stand in WORK/worth.md, .json and .png after every run.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import steps  # noqa: E402
import worth_pairs  # noqa: E402
import worth_report  # noqa: E402
import worth_tables  # noqa: E402
from worth_options import NOISE, OURS, REAL, SOURCES, TINY, TOOLS, Source, Task, build_parser  # noqa: E402

import cli  # noqa: E402
import train_qlora  # noqa: E402
from degraders import __version__  # noqa: E402
from degraders.catalogue import all_degraders  # noqa: E402
from degraders.dataset.pairs import read_pairs as read_pairs  # noqa: E402
from degraders.files import lock_file, sha256_file, write_text  # noqa: E402
from fixer.prompts import PromptStyle  # noqa: E402

TUNING, HELD_OUT, LAST = worth_report.PARTS
IDENTITY_RATE = 0.05


class Asked(NamedTuple):
    """eval.py's summary of answers, the CPU-seconds that answering took, and the counts of each text's repairs."""

    summary: dict[str, Any]
    cpu_seconds: float
    counts: worth_tables.Counts


def main(argv: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__)
    options = parser.parse_args(argv)
    unknown = [name for name in options.sources if name not in SOURCES]
    if unknown:
        parser.error(f"--sources {unknown[0]}: is none; there are {', '.join(SOURCES)}")
    return cli.run_script(parser.prog, lambda: bench(options), lambda: f"the same command goes on in {options.work}")


def bench(options: argparse.Namespace) -> None:
    """Divide the real pairs, make all pairs, then train and ask one source after the other."""
    options.work.mkdir(parents=True, exist_ok=True)
    handle = os.open(options.work, os.O_RDONLY)
    try:
        lock_file(handle, options.work, "--work")
        worth = Worth(options)
        worth.divide()
        tasks = list(worth.tasks())
        for task in tasks:
            if task.source.trained:
                worth.pairs(task.learner)
        run_all(worth, tasks)
    finally:
        os.close(handle)
    print((options.work / "worth.md").read_text(encoding="utf-8"))


def run_all(worth: Worth, tasks: Sequence[Task]) -> None:
    """Run the tasks, some at once if that is asked, and write down what is known after each."""
    runs: dict[Task, list[worth_tables.Run]] = {}
    with ThreadPoolExecutor(worth.options.jobs) as pool:
        waiting = {pool.submit(worth.run, task): task for task in tasks}
        try:
            for done in as_completed(waiting):
                runs[waiting[done]] = done.result()
                worth.report([run for task in tasks for run in runs.get(task, [])])
                print(f"{waiting[done].name}: done", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            steps.stop()
            raise


class Worth:
    """The steps of the benchmark in its folder; all paths are relative to it, so that it may move."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work.resolve()
        self.docs, self.real = options.docs.resolve(), options.real.resolve()
        self.model = str(Path(options.model).resolve()) if Path(options.model).exists() else options.model
        self.digests = {
            "docs": digest_of(self.docs),
            "real": sha256_file(self.real),
            "code": digest_of(ROOT / "degraders"),
        }
        self._tokens: Callable[[str], int] | None = None
        self._training: defaultdict[Task, Lock] = defaultdict(Lock)
        self._choosing: defaultdict[str, Lock] = defaultdict(Lock)

    def tasks(self) -> Iterator[Task]:
        """What is to be run, seed by seed; what needs an environment that is not there is left out, with a word."""
        options = self.options
        named = [Source(name, OURS.get(name, ())) for name in options.sources]
        variants = [replace(one, of=options.vary, data=(*OURS[options.vary], *one.data)) for one in options.variant]
        for seed in options.seeds:
            for source in (*named, *variants):
                if not source.trained and seed != options.seeds[0]:
                    continue
                if source.name == REAL and not (options.held_out or options.last):
                    print("real: left out, only --held_out and --last ask what it has not seen", file=sys.stderr)
                    continue
                need = "textattack" if source.name == "textattack" else "tools" if source.name in TOOLS else ""
                if need and not getattr(options, need):
                    print(f"{source.name}: left out, --{need} names no interpreter", file=sys.stderr)
                    continue
                yield Task(source, seed if source.trained else None)

    # Pairs

    def divide(self) -> None:
        """The real pairs to tune on and to hold out, in files; the profiles made from the former."""
        options = self.options
        sizes = {"errors": options.texts, "clean": options.clean, "recoverable": options.recoverable}
        sizes |= {"beyond": options.beyond, "max_chars": options.max_chars}
        folder = self.work / "real"

        def divide() -> float:
            parts = worth_pairs.divided(worth_pairs.read(self.real), **sizes)
            for name, part in zip(worth_report.PARTS, parts, strict=True):
                for kind, rows in part._asdict().items():
                    worth_pairs.write(folder / f"{name}.{kind}.jsonl", rows)
            return 0.0

        signature = {"real": self.digests["real"], "parts": list(worth_report.PARTS), **sizes}
        steps.once(self.work / "real.json", signature, folder, divide)
        seen = folder / f"{TUNING}.all.jsonl"
        profile = self.work / "profiles" / "realistic.json"

        def calibrate() -> float:
            arguments = ["--calibrate", "profiles/pairs.jsonl", "--output", "profiles/realistic.json"]
            worth_pairs.write(profile.with_name("pairs.jsonl"), self._alike(worth_pairs.read(seen)))
            return steps.script("data_prep.py", arguments, self.work, self.work / "logs" / "profile.log")

        seen_as = {"pairs": sha256_file(seen), "kinds": options.recoverable, "code": self.digests["code"]}
        steps.once(self.work / "profiles.json", seen_as, profile.parent, calibrate)
        write_text(profile.with_name("uniform.json"), flat(profile))

    def _alike(self, rows: Iterable[worth_pairs.Row]) -> Iterator[worth_pairs.Row]:
        """The real pairs of the kinds that are asked."""
        return (row for row in rows if row["recoverable"] in self.options.recoverable)

    def pairs(self, task: Task) -> None:
        """The pairs that a run learns from, in pairs/NAME.jsonl."""
        source, seed = task.source, task.seed or 0
        product = self.work / "pairs" / f"{task.name}.jsonl"
        if source.name == REAL:
            base = self._seen()
        else:
            base = self._made(source if source.name not in NOISE else Source("realistic"), seed)
        style = self._style(source)
        budget = {"target_tokens": self.options.target_tokens, "model": self.model, "tiny": self.options.debug_tiny}
        signature = {"rows": sha256_file(base), **budget, "code": sha256_file(Path(__file__).with_name("noise.py"))}
        signature["answers"] = style.target_format

        def make() -> float:
            targets = {pair.id: style.target(pair).text for pair in read_pairs(base)}
            all_rows, most = worth_pairs.read(base), self.options.target_tokens
            rows = worth_pairs.within_budget(all_rows, lambda row: self.tokens(targets[row["id"]]), most, seed)
            seconds = 0.0
            if source.name in NOISE:
                rows, seconds = self._noise(source.name, rows, seed)
            worth_pairs.write(product, rows)
            return seconds

        steps.once(product.with_suffix(".json"), signature, product, make)

    def _style(self, source: Source) -> PromptStyle:
        """How a fixer of the source's pairs is taught to answer."""
        told = [*shlex.split(self.options.recipe), *source.training]
        return PromptStyle(target_format=train_qlora.build_parser().parse_known_args(told)[0].train_target_format)

    def _seen(self) -> Path:
        """The real pairs of the owners to tune on, of the kinds that are asked."""
        rows = worth_pairs.read(self.work / "real" / f"{TUNING}.all.jsonl")
        product = self.work / "pairs" / "all" / f"{REAL}.jsonl"
        worth_pairs.write(product, map(worth_pairs.as_made, self._alike(rows)))
        return product

    def _made(self, source: Source, seed: int) -> Path:
        """All pairs that data_prep.py makes of the documents."""
        name = f"pairs/all/{source.name}-{seed}.jsonl"
        profile = profile_of(source.name)
        arguments = ["--output", name, "--seed", str(seed), "--profile", profile, "--force"]
        arguments += ["--n-per-doc", str(self.options.n_per_doc), "--identity-rate", str(IDENTITY_RATE)]
        arguments += [*shlex.split(self.options.made), *source.data]
        signature = {"arguments": arguments, "docs": self.digests["docs"], "code": self.digests["code"]}
        signature["profile"] = sha256_file(self.work / profile)
        product = self.work / name
        product.parent.mkdir(parents=True, exist_ok=True)

        def make() -> float:
            asked = ["--input", str(self.docs), "--workers", "1", *arguments]
            return steps.script(
                "data_prep.py", asked, self.work, self.work / "logs" / f"pairs-{source.name}-{seed}.log"
            )

        steps.once(product.with_name(f"{source.name}-{seed}.step.json"), signature, product, make)
        return product

    def _noise(self, library: str, rows: list[worth_pairs.Row], seed: int) -> tuple[list[worth_pairs.Row], float]:
        """The rows with another library's errors in place of ours, and the CPU-seconds that it took."""
        folder = self.work / "noise"
        asked, answered = folder / f"{library}-{seed}.words.jsonl", folder / f"{library}-{seed}.errors.jsonl"
        questions = [worth_pairs.words_to_misspell(row, seed) for row in rows]
        worth_pairs.write(asked, (question for _, question in questions))
        python = self.options.textattack if library == "textattack" else sys.executable
        log = self.work / "logs" / f"noise-{library}-{seed}.log"
        streams: dict[str, Any] = {"python": python, "source": asked, "output": answered}
        seconds = steps.script("benchmarks/noise.py", [library, str(seed)], folder, log, **streams)
        made: list[Any] = [json.loads(line) for line in answered.read_text(encoding="utf-8").splitlines()]
        together = zip(rows, questions, made, strict=True)
        return [worth_pairs.misspelt(row, places, found) for row, (places, _), found in together], seconds

    def tokens(self, text: str) -> int:
        """How many tokens the model makes of a text."""
        if self._tokens is None:
            from fixer.examples import text_ids
            from fixer.loading import load_tokenizer

            tokenizer = load_tokenizer(TINY if self.options.debug_tiny else self.model)
            self._tokens = lambda text: len(text_ids(tokenizer, text))
        return self._tokens(text)

    # Runs

    def run(self, task: Task) -> list[worth_tables.Run]:
        """Train, if there is something to train, and ask; the figures by part."""
        training = self._train(task.learner) if task.source.trained else 0.0
        asked = {TUNING: task.source.name != REAL, HELD_OUT: self.options.held_out, LAST: self.options.last}
        parts = [part for part, wanted in asked.items() if wanted and (part == TUNING or not task.source.of)]
        bias = self._bias(task.source)
        return [self._measured(task, part, bias, training) for part in parts]

    def _measured(self, task: Task, part: str, bias: float | None, training: float) -> worth_tables.Run:
        errors, clean = (self._asked(task, part, kind, bias) for kind in ("errors", "clean"))
        beyond = self._asked(task, part, "beyond", bias).summary if part != TUNING and self.options.beyond else None
        return worth_tables.Run(
            task.source.name,
            task.seed,
            part,
            errors.summary,
            clean.summary,
            training,
            errors.cpu_seconds + clean.cpu_seconds,
            bool(task.source.of),
            bias,
            beyond,
            errors.counts,
        )

    def _bias(self, source: Source) -> float | None:
        """The bias with which a source's first seed mends best on the owners to tune on, the least of equal ones; one
        from the middle for real pairs, which it has learned from there. None where nothing is trained, the source says
        it itself, or answers follow no text."""
        found: list[float] = sorted(self.options.keep_bias)
        follows = source.trained and self._style(source).target_format == "good_only"
        if not follows or "--keep_bias" in source.asking:
            return None
        if source.name == REAL or len(found) == 1:
            return found[(len(found) - 1) // 2]
        first = Task(source, self.options.seeds[0])
        with self._choosing[source.name]:
            self._train(first.learner)
            told = {bias: self._asked(first, TUNING, "errors", bias).summary["figures"]["model"] for bias in found}
        return max(found, key=lambda bias: float(told[bias]["repair_f05"]["value"] or 0))

    def _train(self, task: Task) -> float:
        """The adapter in runs/NAME/adapter; its CPU-seconds."""
        options, folder = self.options, self.work / "runs" / task.name
        name = f"pairs/{task.name}.jsonl"
        base = [] if options.debug_tiny else ["--base_model", self.model]
        arguments = [*base, "--seed", str(task.seed), "--threads", str(options.threads), "--validation_share", "0"]
        arguments += [*shlex.split(options.recipe), *task.source.training, *(["--debug_tiny"] * options.debug_tiny)]
        adapter = folder / "adapter"

        def train() -> float:
            go_on = ["--resume"] if adapter.is_dir() and any(adapter.iterdir()) else []
            asked = ["--dataset", name, "--save_dir", f"runs/{task.name}/adapter", "--save_every", "20", *go_on]
            log = self.work / "logs" / f"{task.name}.log"
            return steps.script("train_qlora.py", [*asked, *arguments], self.work, log, threads=options.threads)

        signature = {"arguments": arguments, "pairs": sha256_file(self.work / name)}
        with self._training[task]:
            return steps.once(folder / "adapter.json", signature, adapter, train)

    def _asked(self, task: Task, part: str, kind: str, bias: float | None) -> Asked:
        """What eval.py says of a run's answers to the pairs of a part."""
        where = f"runs/{task.name}/{part}.{kind}" + ("" if bias is None else f".bias_{bias:g}")
        asked, folder = self.work / "real" / f"{part}.{kind}.jsonl", self.work / where
        what, signature = self._answering(task, where, bias)
        arguments = ["--dataset", f"real/{part}.{kind}.jsonl", "--split", "all", "--embedding_model", "none", *what]

        def answer() -> float:
            folder.mkdir(parents=True, exist_ok=True)
            log = self.work / "logs" / f"{task.name}.log"
            made = self._corrected(task.source.name, asked, folder, log) if task.source.name in TOOLS else None
            told = [*arguments, "--out", f"{where}/results.csv"]
            scored = steps.script("eval.py", told, self.work, log, threads=self.options.threads)
            return scored if made is None else made

        signature |= {"arguments": arguments, "pairs": sha256_file(asked), "version": __version__}
        seconds = steps.once(folder.with_name(f"{folder.name}.json"), signature, folder, answer)
        summary = json.loads((folder / "results.summary.json").read_text(encoding="utf-8"))
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            counts = [(float(row["tp"]), float(row["fp"]), float(row["fn"])) for row in csv.DictReader(file)]
        return Asked(summary, seconds, counts)

    def _answering(self, task: Task, where: str, bias: float | None) -> tuple[list[str], dict[str, Any]]:
        """Options of eval.py that say what answers, and the digest of it."""
        name, options = task.source.name, self.options
        how = [*shlex.split(options.asking), *task.source.asking, "--threads", str(options.threads)]
        how += [] if bias is None else ["--keep_bias", f"{bias:g}"]
        if name in TOOLS:
            tool = Path(__file__).with_name("correctors.py")
            return ["--predictions", f"{where}/answers.jsonl", "--no_guard"], {"tool": sha256_file(tool)}
        if task.source.trained:
            adapter = f"runs/{task.learner.name}/adapter"
            weights = sha256_file(self.work / adapter / "adapter_model.safetensors")
            return ["--model", adapter, *how], {"adapter": weights}
        model = TINY if self.options.debug_tiny else self.model
        return ["--model", "copy" if name == "copy" else model, *how], {}

    def report(self, runs: Sequence[worth_tables.Run]) -> None:
        """Write down what is known, with what data_prep.py was told for each of our sources."""
        always = f"--n-per-doc {self.options.n_per_doc} --identity-rate {IDENTITY_RATE} {self.options.made}"
        names = dict.fromkeys(run.source for run in runs if run.source in OURS)
        ours = {name: shlex.join(["--profile", profile_of(name), *shlex.split(always), *OURS[name]]) for name in names}
        worth_report.write(self.work, vars(self.options), self.digests, runs, ours)

    def _corrected(self, tool: str, asked: Path, folder: Path, log: Path) -> float:
        """A tool's answers, in answers.jsonl of the folder; its CPU-seconds."""
        questions, answers = folder / "questions.jsonl", folder / "answers.jsonl"
        worth_pairs.write(questions, map(worth_pairs.with_protected, worth_pairs.read(asked)))
        streams: dict[str, Any] = {"python": self.options.tools, "source": questions, "output": answers}
        return steps.script("benchmarks/correctors.py", [tool], folder, log, **streams)


def profile_of(source: str) -> str:
    """The profile that data_prep.py is told for a source of ours, in the work folder."""
    return f"profiles/{'uniform' if source == 'uniform' else 'realistic'}.json"


def flat(profile: Path) -> str:
    """The profile with every degrader as likely as the others, each of its ways too."""
    content = json.loads(profile.read_text(encoding="utf-8"))
    ways = {way.key: 1 / len(item.alternatives) for item in all_degraders().values() for way in item.alternatives}
    return json.dumps({**content, "origin": "every degrader as likely", "weights": ways}, indent=2) + "\n"


def digest_of(folder: Path) -> str:
    """The SHA-256 of the names and contents of all files in a folder."""
    found = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        found.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return found.hexdigest()


if __name__ == "__main__":
    for ends in (signal.SIGINT, signal.SIGTERM):  # under nohup, too, so that no run is left behind
        signal.signal(ends, signal.default_int_handler)
    sys.exit(main())
