"""The files of a training run: log, loss curve, adapter, model card, and last the manifest."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from degraders.errors import UserError
from degraders.files import sha256_file, write_text
from fixer.checkpoints import LogRow, json_lines
from fixer.prompts import STYLE_FILE, PromptStyle

MANIFEST, METRICS, CURVE, CARD = "train_manifest.json", "metrics.jsonl", "loss.png", "README.md"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"
_ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json", STYLE_FILE)
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model"),
)
_FILES = (*_ADAPTER_FILES, *_TOKENIZER_FILES, METRICS, CURVE, CARD)


def check_folder(folder: Path, *, force: bool, resume: bool) -> None:
    """UserError if the folder holds files that would be lost, or if there is nothing to resume."""
    occupied = any(folder.iterdir())
    if resume and not occupied:
        raise UserError(f"{folder}: holds no run to resume; leave out --resume to start one")
    if resume and (folder / MANIFEST).exists():
        raise UserError(f"{folder}: its run is finished; pass --force to replace it, or another --save_dir")
    if occupied and not force and not resume:
        raise UserError(f"{folder}: is not empty; pass --resume to continue its run, or --force to replace it")


def clear_folder(folder: Path) -> None:
    """Remove the files of an earlier run, the manifest first; other files stay."""
    for name in (MANIFEST, *_FILES):
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, TENSORBOARD):
        shutil.rmtree(folder / name, ignore_errors=True)


class MetricsLog:
    """The rows of `metrics.jsonl`, one for each step and each validation; times are only in TensorBoard.

    `folder` is None for processes that write nothing.
    """

    def __init__(self, folder: Path | None, rows: Sequence[LogRow], *, tensorboard: bool) -> None:
        self.rows = list(rows)
        self._folder, self._tensorboard = folder, tensorboard
        self._file: TextIO | None = None
        self._board: Any = None

    def _open(self, folder: Path) -> None:
        """Create the files with the rows so far. This waits for the first new row, so that a run that fails before it
        leaves no files."""
        write_text(folder / METRICS, json_lines(self.rows))
        self._file = (folder / METRICS).open("a", encoding="utf-8", newline="\n")
        if self._tensorboard:
            self._board = _open_tensorboard(folder / TENSORBOARD, self.rows)

    def add(self, row: LogRow, *, speed: float | None = None) -> None:
        """Log a row; `speed` is in tokens per second."""
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

    def steps(self) -> list[LogRow]:
        return [row for row in self.rows if "loss" in row]

    def validations(self) -> list[LogRow]:
        return [row for row in self.rows if "validation_loss" in row]

    def best(self) -> LogRow | None:
        """The row with the lowest validation loss, the first of several."""
        return min(self.validations(), key=lambda row: float(row["validation_loss"]), default=None)

    def validations_since_best(self) -> int:
        best = self.best()
        return sum(row["step"] > best["step"] for row in self.validations()) if best else 0


def _open_tensorboard(folder: Path, rows: Sequence[LogRow]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard: needs a package: pip install tensorboard") from error
    first_new_step = rows[-1]["step"] + 1 if rows else None
    return SummaryWriter(str(folder), purge_step=first_new_step)


def write_adapter(
    folder: Path,
    *,
    model: Any,
    weights: Mapping[str, Any],
    tokenizer: Any,
    style: PromptStyle,
    log: MetricsLog,
    card: str,
) -> None:
    """Write the adapter with tokenizer, prompt style, loss curve and model card.

    The files are written to a temporary folder first, and then moved into place.
    """
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as name:
        partial = Path(name)
        # No token was added, so the adapter has no embeddings; without this setting, peft would query the hub.
        model.save_pretrained(partial, state_dict=dict(weights), save_embedding_layers=False)
        _sort_lists(partial / "adapter_config.json")
        tokenizer.save_pretrained(partial)
        style.save(partial)
        draw_curve(partial / CURVE, log)
        write_text(partial / CARD, card)
        for path in sorted(partial.iterdir()):
            path.replace(folder / path.name)


def _sort_lists(path: Path) -> None:
    """Sort the module names, which peft stores as a set, so that the same run writes the same bytes."""
    config = json.loads(path.read_text(encoding="utf-8"))
    ordered = {name: sorted(value) if isinstance(value, list) else value for name, value in config.items()}
    write_text(path, json.dumps(ordered, indent=2, sort_keys=True) + "\n")


def draw_curve(path: Path, log: MetricsLog) -> None:
    """Write a PNG of the loss: each step as a point, the running mean as a line, and the validations."""
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
    axes.set(xlabel="step", ylabel="loss per token")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _smooth(values: Sequence[float], share: float = 0.1) -> list[float]:
    """An exponential running mean, corrected for the bias of its start."""
    smooth: list[float] = []
    mean = weight = 0.0
    for value in values:
        mean += share * (value - mean)
        weight += share * (1 - weight)
        smooth.append(mean / weight)
    return smooth


def model_card(base: str, options: Mapping[str, Any], facts: Sequence[tuple[str, str]], style: PromptStyle) -> str:
    """The model card in the hub's format: what the adapter does, how to load it, its results and its options."""
    head = ["---", *([f"base_model: {json.dumps(base)}"]), "library_name: peft", "pipeline_tag: text-generation"]
    tags = ["tags:", "- lora", "- documentation", "- text-correction", "---"]
    does = "repairs documentation" if style.direction == "repair" else "writes errors into documentation"
    option_rows = "\n".join(f"| `{name}` | {json.dumps(value)} |" for name, value in options.items())
    fact_rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    body = _CARD.format(base=base, does=does, options=option_rows, facts=fact_rows, style=style)
    return "\n".join([*head, *tags]) + body


_CARD = """

# A documentation fixer

A LoRA adapter for `{base}` that {does}. It answers in the format `{style.target_format}` to prompts in the style
`{style.name}` ([`prompt_style.json`](prompt_style.json)). It was trained with `train_qlora.py` of Documentation QA
Reducer. The project's `eval.py` prompts it exactly as in training and checks its answers with a guard. Do not use the
answers without the guard: some of them run away.

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

The licence of the base model applies to the adapter too, and so do the licences of its training texts.
"""


def read_option(folder: Path, name: str, valid: Container[int]) -> int | None:
    """The value of an option that an adapter was trained with; None if no manifest in its folder names a valid one."""
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["options"][name]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if type(value) is int and value in valid else None


def write_manifest(folder: Path, content: Mapping[str, Any]) -> list[str]:
    """Write the manifest, with the digests of all files of the run, as the last file; returns the names of all."""
    names = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.name in _FILES]
    files = {name: sha256_file(folder / name) for name in names}
    write_text(folder / MANIFEST, json.dumps({**content, "sha256": files}, indent=2) + "\n")
    return [*names, MANIFEST]
