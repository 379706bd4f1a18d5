#!/usr/bin/env python3
"""Measure speed and memory of generating repairs, as ratios within one run.

    python -m benchmarks.bench_eval --model google/gemma-3-270m --adapter lora_out --dataset dataset.jsonl

Each contender repairs the same texts with the same model in a process of its own, in batches of 8, greedily:

- `fixer`: as eval.py does, with drafts copied from the input text, and rows of any length in one batch;
- `no drafts`: the same, one token a forward pass;
- `plain`: `generate` of transformers in file order, each batch padded and run until its longest answer ends;
- `continuous`: continuous batching of transformers, for its speed and its memory.

Prints tokens of answers a CPU-second (without loading), peak memory of the process, the ratios to `plain`, and how many
answers and tokens are the same. In 32 bits all must be the same; in 16 or 4 bits the shape of a batch can decide
between two tokens of almost equal probability.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import cli
from benchmarks.shared import add_contender_options, peak_gb, run_contender

CONTENDERS = ("plain", "fixer", "no drafts", "continuous")
Answers = list[list[int]]


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    model: str
    adapter: Path | None
    dataset: Path
    split: str | None
    limit: int
    window: int
    batch: int
    drafts: int
    bits: int
    threads: int
    contenders: list[str]
    contender: str | None


@dataclass(frozen=True)
class Result:
    """A contender's answers as token ids, cut where they begin to repeat themselves; the generated tokens, CPU-seconds
    and peak memory in GB; `error` if it did not run."""

    answers: Answers = field(default_factory=list)
    tokens: int = 0
    seconds: float = 1.0
    peak: float = 0.0
    error: str = ""

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    options = cli.parse_options(build_parser(), arguments, Options)
    if options.contender:
        print(json.dumps(asdict(run_here(options))))
        return 0
    print(f"{options.limit} texts, batch {options.batch}, {options.bits} bits, {options.threads} thread(s)", flush=True)
    results: dict[str, Result] = {}
    for name in options.contenders:
        values, error = run_contender("benchmarks.bench_eval", arguments, name, options.threads)
        results[name] = Result(error=error) if error else Result(**values)
        print_result(name, results)
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="base model: a folder, or its name on the hub")
    parser.add_argument("--adapter", type=Path, help="adapter folder of train_qlora.py (default: the base model alone)")
    parser.add_argument("--dataset", type=Path, required=True, help="JSONL with `bad` and `good`")
    parser.add_argument("--split", help="only the pairs of this split")
    parser.add_argument("--limit", type=int, default=48, help="texts to repair (default: %(default)s)")
    parser.add_argument("--window", type=int, default=512, help="longest prompt and answer (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="rows at once (default: %(default)s)")
    parser.add_argument("--drafts", type=int, default=16, help="most tokens of a draft (default: %(default)s)")
    parser.add_argument("--bits", type=int, choices=(4, 16, 32), default=4, help="weights (default: %(default)s)")
    add_contender_options(parser, CONTENDERS)
    return parser


def print_result(name: str, results: dict[str, Result]) -> None:
    result, plain = results[name], results.get("plain")
    if result.error:
        print(f"{name:<12} did not run: {result.error}", flush=True)
        return
    line = f"{name:<12} {result.rate:7.1f} tokens/CPU-s {result.peak:6.2f} GB"
    if plain and plain is not result and not plain.error:
        same, tokens = agreement(plain.answers, result.answers)
        line += f"   {result.rate / plain.rate:.2f}x plain, {result.peak / plain.peak:.2f} of its memory"
        line += f"; same answers {same} of {len(result.answers)}, tokens {tokens:.1%}"
    print(line, flush=True)


def agreement(first: Answers, second: Answers) -> tuple[int, float]:
    """How many answers are the same, and the share of tokens before the first that differs."""
    same = sum(a == b for a, b in zip(first, second, strict=True))
    shared = sum(
        next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        for a, b in zip(first, second, strict=True)
    )
    return same, shared / max(1, sum(max(len(a), len(b)) for a, b in zip(first, second, strict=True)))


def run_here(options: Options) -> Result:
    """Load the model and let one contender repair the texts in this process."""
    import torch

    torch.set_num_threads(options.threads)
    model, tokenizer, style = load(options)
    model.eval()
    from fixer.examples import end_ids

    requests = list(islice(build_requests(options, tokenizer, style), options.limit))
    stop = end_ids(tokenizer, style)
    started = time.process_time()
    if options.contender == "plain":
        answers = generate_plain(model, requests, stop, options.batch)
    elif options.contender == "continuous":
        answers = generate_continuous(model, requests, stop)
    else:
        drafts = 0 if options.contender == "no drafts" else options.drafts
        answers = generate_ours(model, tokenizer, requests, stop=stop, batch=options.batch, drafts=drafts)
    seconds = time.process_time() - started
    cut = [cut_repetition(ids, request.source) for ids, request in zip(answers, requests, strict=True)]
    return Result(cut, sum(map(len, answers)), seconds, peak_gb())


def load(options: Options) -> tuple[Any, Any, Any]:
    """The model, its tokenizer and its prompt style."""
    import torch

    from fixer.loading import load_adapter, load_base, load_tokenizer
    from fixer.prompts import PromptStyle

    device = torch.device("cpu")
    if options.adapter:
        return load_adapter(options.adapter, base=options.model, bits=options.bits, device=device)
    model = load_base(options.model, bits=options.bits, device=device)
    return model, load_tokenizer(options.model), PromptStyle()


def build_requests(options: Options, tokenizer: Any, style: Any) -> Iterator[Any]:
    """The requests of the texts that fit the window, in the order of the file."""
    from degraders.dataset.pairs import read_pairs
    from fixer.repair import build_request

    for pair in read_pairs(options.dataset, split=options.split):
        request = build_request(tokenizer, style, style.source(pair), pair.context, pair.instruction)
        if len(request.prompt) + len(request.source) < options.window:
            yield request


def generate_ours(
    model: Any, tokenizer: Any, requests: Sequence[Any], *, stop: list[int], batch: int, drafts: int
) -> Answers:
    from fixer.generation import Generator

    generated = dict(Generator(model, tokenizer, stop=stop, batch=batch, drafts=drafts)(requests))
    return [list(generated[index].ids) for index in range(len(requests))]


def generate_plain(model: Any, requests: Sequence[Any], stop: list[int], batch: int) -> Answers:
    """`generate` over batches in file order, padded on the left."""
    import torch

    answers: Answers = []
    for first in range(0, len(requests), batch):
        rows = requests[first : first + batch]
        width = max(len(row.prompt) for row in rows)
        ids = torch.tensor([[stop[0]] * (width - len(row.prompt)) + row.prompt for row in rows])
        mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows])
        with torch.no_grad():
            generated = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max(row.limit for row in rows),
                do_sample=False,
                use_cache=True,
                eos_token_id=stop,
                pad_token_id=stop[0],
            )
        new_ids = generated[:, width:].tolist()
        answers += [cut_at_end(ids, row.limit, stop) for ids, row in zip(new_ids, rows, strict=True)]
    return answers


def generate_continuous(model: Any, requests: Sequence[Any], stop: list[int]) -> Answers:
    """Continuous batching of transformers with its defaults."""
    from transformers import GenerationConfig

    from fixer.loading import unwrap_base

    limit = max(request.limit for request in requests)
    config = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=stop[0], pad_token_id=stop[0])
    prompts = [request.prompt for request in requests]
    outputs = unwrap_base(model).generate_batch(prompts, generation_config=config)
    by_prompt = {tuple(output.prompt_ids): output.generated_tokens for output in outputs.values()}
    return [cut_at_end(list(by_prompt[tuple(request.prompt)]), request.limit, stop) for request in requests]


def cut_repetition(ids: list[int], source: list[int]) -> list[int]:
    """An answer up to the point where the fixer would stop it for repeating itself."""
    from fixer.generation import runs_away

    return next((ids[:at] for at in range(1, len(ids) + 1) if runs_away(ids[:at], source)), ids)


def cut_at_end(ids: list[int], limit: int, stop: list[int]) -> list[int]:
    """An answer up to its end token, or its limit."""
    end = next((at + 1 for at, token in enumerate(ids) if token in stop), len(ids))
    return ids[: min(end, limit)]


if __name__ == "__main__":
    sys.exit(main())
