"""What a training run leaves in its folder: log, loss curve, adapter, model card, and last the manifest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from degraders.errors import UserError
from degraders.files import lock_file, sha256_file, write_text
from fixer.checkpoints import Row, json_lines
from fixer.prompts import STYLE_FILE as STYLE
from fixer.prompts import PromptStyle

MANIFEST, METRICS, CURVE, CARD = "train_manifest.json", "metrics.jsonl", "loss.png", "README.md"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"
_ADAPTER = ("adapter_model.safetensors", "adapter_config.json", STYLE)
_TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model"),
)


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Keep the folder, made if it is absent, for this run alone; left away again if nothing was written to it."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock_file(handle, folder, "--save_dir")
        yield
    finally:
        os.close(handle)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def check_folder(folder: Path, *, force: bool, resume: bool) -> None:
    """UserError if the folder holds what would be lost, or if there is nothing to resume."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder with --save_dir")
    taken = folder.is_dir() and any(folder.iterdir())
    if resume and not taken:
        raise UserError(f"{folder}: holds no run to go on with; leave --resume out to begin one")
    if resume and (folder / MANIFEST).exists():
        raise UserError(f"{folder}: its run is finished; --force begins anew, another --save_dir keeps both")
    if taken and not force and not resume:
        raise UserError(f"{folder}: is not empty; --resume goes on with its run, --force replaces it")


def clear_folder(folder: Path) -> None:
    """Remove what an earlier run left, the manifest first; what is not ours stays."""
    for name in (MANIFEST, *_ADAPTER, *_TOKENIZER, METRICS, CURVE, CARD):
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, TENSORBOARD):
        shutil.rmtree(folder / name, ignore_errors=True)


class MetricsLog:
    """The rows of `metrics.jsonl`: one a step, one a validation; times stand only in TensorBoard.

    `folder` is None for the processes that write nothing.
    """

    def __init__(self, folder: Path | None, rows: Sequence[Row], *, tensorboard: bool) -> None:
        self.rows = list(rows)
        self._folder, self._tensorboard = folder, tensorboard
        self._file: TextIO | None = None
        self._board: Any = None

    def _open(self, folder: Path) -> None:
        """Begin the files with the rows that there are; not before the first new one, so that a run that fails before
        it has done anything leaves nothing behind."""
        write_text(folder / METRICS, json_lines(self.rows))
        self._file = (folder / METRICS).open("a", encoding="utf-8", newline="\n")
        if self._tensorboard:
            self._board = _board(folder / TENSORBOARD, self.rows)

    def add(self, row: Row, *, speed: float | None = None) -> None:
        """Log a row; `speed` is in tokens a second."""
        if self._folder and not self._file:
            self._open(self._folder)
        self.rows.append(row)
        if self._file:
            self._file.write(json_lines([row]))
            self._file.flush()
        if self._board:
            values = row if speed is None else {**row, "tokens_a_second": speed}
            for name, value in values.items():
                if name != "step":
                    self._board.add_scalar(name, value, row["step"])

    def close(self) -> None:
        for sink in (self._file, self._board):
            if sink:
                sink.close()

    def steps(self) -> list[Row]:
        return [row for row in self.rows if "loss" in row]

    def validations(self) -> list[Row]:
        return [row for row in self.rows if "validation_loss" in row]

    def best(self) -> Row | None:
        """The row of the lowest validation loss, the first of equals."""
        return min(self.validations(), key=lambda row: float(row["validation_loss"]), default=None)

    def evaluations_since_best(self) -> int:
        best = self.best()
        return sum(row["step"] > best["step"] for row in self.validations()) if best else 0


def _board(folder: Path, rows: Sequence[Row]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard: needs a package: pip install tensorboard") from error
    last = rows[-1]["step"] + 1 if rows else None
    return SummaryWriter(str(folder), purge_step=last)


def write_adapter(
    folder: Path, model: Any, weights: Mapping[str, Any], tokenizer: Any, style: PromptStyle, log: MetricsLog, card: str
) -> None:
    """Write the adapter and what explains it: all of it under another name first, then renamed into place."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as name:
        partial = Path(name)
        # Nothing was added to the vocabulary, so no embedding belongs to the adapter (and no hub is asked about it).
        model.save_pretrained(partial, state_dict=dict(weights), save_embedding_layers=False)
        _sort_lists(partial / "adapter_config.json")
        tokenizer.save_pretrained(partial)
        style.save(partial)
        draw_curve(partial / CURVE, log)
        write_text(partial / CARD, card)
        for path in sorted(partial.iterdir()):
            path.replace(folder / path.name)


def _sort_lists(path: Path) -> None:
    """Give the module names, which peft keeps as a set, an order: the same run writes the same bytes."""
    config = json.loads(path.read_text(encoding="utf-8"))
    ordered = {name: sorted(value) if isinstance(value, list) else value for name, value in config.items()}
    write_text(path, json.dumps(ordered, indent=2, sort_keys=True) + "\n")


def draw_curve(path: Path, log: MetricsLog) -> None:
    """A PNG of the loss: every step as a point, its running mean as a line, and the validations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = [row["step"] for row in log.steps()]
    losses = [row["loss"] for row in log.steps()]
    axes.plot(steps, losses, ".", color="0.75", markersize=4, label="training, each step")
    axes.plot(steps, _smooth(losses), color="tab:blue", label="training, running mean")
    if log.validations():
        points = [(row["step"], row["validation_loss"]) for row in log.validations()]
        axes.plot(*zip(*points, strict=True), "o-", color="tab:orange", label="validation")
    axes.set(xlabel="step", ylabel="loss a token")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _smooth(values: Sequence[float], share: float = 0.1) -> list[float]:
    """An exponential running mean, free of the start's bias."""
    smooth: list[float] = []
    mean = weight = 0.0
    for value in values:
        mean += share * (value - mean)
        weight += share * (1 - weight)
        smooth.append(mean / weight)
    return smooth


def model_card(base: str, options: Mapping[str, Any], facts: Sequence[tuple[str, str]], style: PromptStyle) -> str:
    """The model card, as hubs show it: what the adapter is, how it is loaded, what it was made of, what came out."""
    head = ["---", *([f"base_model: {json.dumps(base)}"]), "library_name: peft", "pipeline_tag: text-generation"]
    tags = ["tags:", "- lora", "- documentation", "- text-correction", "---"]
    does = "repairs documentation" if style.direction == "repair" else "writes errors into documentation"
    chosen = "\n".join(f"| `{name}` | {json.dumps(value)} |" for name, value in options.items())
    told = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return "\n".join([*head, *tags]) + _CARD.format(base=base, does=does, options=chosen, facts=told, style=style)


_CARD = """

# A documentation fixer

A LoRA adapter of `{base}` that {does}: it answers in the format `{style.target_format}` to prompts in the
style `{style.name}` ([`prompt_style.json`](prompt_style.json)). Made by `train_qlora.py` of Documentation QA Reducer,
whose `eval.py` asks it as it was trained and guards its answers: some run away, so do not use them unguarded.

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, "path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
```

## Results

![loss](loss.png)

| | |
|---|---|
{facts}

## Options

| option | value |
|---|---|
{options}

The base model's licence holds for the adapter too, and so do the licences of the texts it was trained on.
"""


def write_manifest(folder: Path, content: Mapping[str, Any]) -> list[str]:
    """Write the manifest, with the digests of all files, as the last one; returns the names of all that was written."""
    names = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.name in _known()]
    files = {name: sha256_file(folder / name) for name in names}
    write_text(folder / MANIFEST, json.dumps({**content, "sha256": files}, indent=2) + "\n")
    return [*names, MANIFEST]


def _known() -> set[str]:
    return {*_ADAPTER, *_TOKENIZER, METRICS, CURVE, CARD}
