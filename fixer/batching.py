"""Micro-batches: the examples of one optimizer step, sorted by length and laid side by side with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fixer.examples import Example

MOST_PADDING = 0.12
"""Share of a batch's slots that may be padding."""
WIDTHS = 32
"""Widths of batches are multiples of it: a CPU's kernels are compiled for each shape, and take memory that stays."""


class Batch(NamedTuple):
    """Examples padded on the right. Attention is causal, so no true token sees the padding: no mask is needed.

    `input_ids` (rows, width); `places` (targets) index the flattened slots whose next token is a target;
    `targets` (targets) are those tokens, `weights` (targets) their weights in the loss.
    """

    input_ids: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor


def step_batches(examples: Sequence[Example], *, slots: int, rows: int, pad_id: int) -> list[Batch]:
    """All examples in batches of at most `rows` rows and `slots` slots; one that is longer stands alone."""
    return [_batch(group, pad_id) for group in _groups(sorted(examples, key=len, reverse=True), slots, rows)]


def _groups(examples: Sequence[Example], slots: int, rows: int) -> Iterator[list[Example]]:
    """Neighbours in the order of their lengths, the longest first."""
    group: list[Example] = []
    used = 0
    for example in examples:
        size = (len(group) + 1) * len(group[0]) if group else 0
        room = (len(group) + 1) * _width(group[0]) if group else 0
        if group and (len(group) == rows or room > slots or size - used - len(example) > MOST_PADDING * size):
            yield group
            group, used = [], 0
        group.append(example)
        used += len(example)
    if group:
        yield group


def _width(example: Example) -> int:
    """The slots of a batch's longest example, whose last token is only predicted, never read."""
    return -(-(len(example) - 1) // WIDTHS) * WIDTHS


def _batch(examples: Sequence[Example], pad_id: int) -> Batch:
    width = _width(max(examples, key=len))
    ids: list[list[int]] = []
    places: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    for row, example in enumerate(examples):
        tokens = [*example.prompt, *example.target][:-1]
        ids.append([*tokens, *[pad_id] * (width - len(tokens))])
        first = row * width + len(example.prompt) - 1
        places += range(first, first + len(example.target))
        targets += example.target
        weights += example.weights
    return Batch(
        torch.tensor(ids), torch.tensor(places), torch.tensor(targets), torch.tensor(weights, dtype=torch.float32)
    )
