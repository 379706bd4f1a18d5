"""Micro-batches: the examples of one optimizer step, sorted by length and put side by side with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fixer.examples import Example

MAX_PADDING = 0.12
"""Share of a batch's slots that may be padding."""
WIDTH_STEP = 32
"""Widths of batches are multiples of it: CPU kernels are compiled for each shape, and keep memory for it."""


class Batch(NamedTuple):
    """Examples padded on the right. Attention is causal, so no real token sees the padding, and no mask is needed.

    `input_ids` (rows, width); `positions` (targets) are the flattened slots whose next token is a target;
    `targets` (targets) are those tokens, `weights` (targets) their weights in the loss.
    """

    input_ids: Tensor
    positions: Tensor
    targets: Tensor
    weights: Tensor


def step_batches(examples: Sequence[Example], *, slots: int, rows: int, pad_id: int) -> list[Batch]:
    """All examples in batches of at most `rows` rows and `slots` slots; a longer example is a batch of its own."""
    return [_batch(group, pad_id) for group in _groups(sorted(examples, key=len, reverse=True), slots, rows)]


def _groups(examples: Sequence[Example], slots: int, rows: int) -> Iterator[list[Example]]:
    """Neighbours of examples that are sorted by length, longest first."""
    group: list[Example] = []
    tokens = 0
    for example in examples:
        size = (len(group) + 1) * len(group[0]) if group else 0
        padded_size = (len(group) + 1) * _width(group[0]) if group else 0
        too_much_padding = size - tokens - len(example) > MAX_PADDING * size
        if group and (len(group) == rows or padded_size > slots or too_much_padding):
            yield group
            group, tokens = [], 0
        group.append(example)
        tokens += len(example)
    if group:
        yield group


def _width(example: Example) -> int:
    """The width of a batch whose longest example this is; its last token is only predicted, never read."""
    return -(-(len(example) - 1) // WIDTH_STEP) * WIDTH_STEP


def _batch(examples: Sequence[Example], pad_id: int) -> Batch:
    width = _width(max(examples, key=len))
    ids: list[list[int]] = []
    positions: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    for row, example in enumerate(examples):
        tokens = [*example.prompt, *example.target][:-1]
        ids.append([*tokens, *[pad_id] * (width - len(tokens))])
        first = row * width + len(example.prompt) - 1
        positions += range(first, first + len(example.target))
        targets += example.target
        weights += example.weights
    return Batch(
        torch.tensor(ids), torch.tensor(positions), torch.tensor(targets), torch.tensor(weights, dtype=torch.float32)
    )
