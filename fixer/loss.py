"""The loss of the targets: logits are computed only where a target is predicted, one tile of positions at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import cross_entropy

from fixer.batching import Batch
from fixer.loading import unwrap_base

TILE = 128
"""Most target positions whose logits are in memory together."""
_CACHE_LOGITS = 2**18
"""Logits that fit into the cache of a CPU core: there, the softmax runs over so many at a time."""
_NEGLIGIBLE = 1e-6
"""A token that is less probable than this everywhere in a tile is left out of the gradient (on a CPU, in bf16)."""


class FixerModel(nn.Module):
    """A causal language model that maps a batch to the weighted sum of its targets' cross-entropies (a scalar)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._needs_own_logits = not _head_is_linear(model)

    def forward(self, batch: Batch) -> Tensor:
        if self._needs_own_logits:
            logits = self.model(input_ids=batch.input_ids, use_cache=False).logits.flatten(0, 1)[batch.positions]
            losses = cross_entropy(logits.float(), batch.targets, reduction="none")
            return (losses * batch.weights).sum()
        base = unwrap_base(self.model)
        hidden = base.base_model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
        head = base.get_output_embeddings()
        states = hidden.flatten(0, 1)[batch.positions]
        loss: Tensor = _TiledLoss.apply(states, head.weight, batch.targets, batch.weights)  # type: ignore[no-untyped-call]
        return loss


@torch.no_grad()
def _head_is_linear(model: Any) -> bool:
    """Whether the logits are the last hidden state times the head's weights: no bias, no scale, no cap."""
    base = unwrap_base(model)
    head = base.get_output_embeddings()
    if type(head) is not nn.Linear or head.bias is not None:
        return False
    was_training = model.training
    model.eval()
    ids = torch.arange(2, device=head.weight.device)[None]
    hidden = base.base_model(input_ids=ids, use_cache=False).last_hidden_state
    same = torch.equal(base(input_ids=ids, use_cache=False).logits, head(hidden))
    model.train(was_training)
    return same


class _TiledLoss(Function):
    """Weighted cross-entropy of hidden states (targets, width) under a head (vocabulary, width), summed.

    The gradient for the hidden states, softmax · head - head[target], is computed together with the loss, tile by tile,
    so that no logits are stored and none are computed twice; the head itself is frozen.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        gradient = torch.empty_like(hidden) if hidden.requires_grad else None
        total = hidden.new_zeros((), dtype=torch.float32)
        for part in _tiles(len(hidden)):
            logits = hidden[part] @ head.T
            losses = _softmax_in_place(logits, targets[part])
            total += losses @ weights[part]
            if gradient is not None:
                mean = _average_rows(logits, head)
                gradient[part] = (mean - head[targets[part]]) * weights[part, None].to(mean.dtype)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None, None, None


def _tiles(targets: int) -> Iterator[slice]:
    """Ranges of targets of about equal length: a product of few rows takes as long as one of many."""
    count = -(-targets // TILE)
    for number in range(count):
        yield slice(targets * number // count, targets * (number + 1) // count)


def _average_rows(probabilities: Tensor, head: Tensor) -> Tensor:
    """The average of the head's rows (targets, width), weighted with probabilities (targets, vocabulary).

    On a CPU, in bf16, tokens that are likely nowhere in the tile are left out: with `_NEGLIGIBLE` the error is half of
    the error of rounding to bf16, and of a large vocabulary only one row in ten remains.
    """
    if probabilities.dtype == torch.bfloat16 and not probabilities.is_cuda:
        likely = (probabilities.amax(0) > _NEGLIGIBLE).nonzero().squeeze(1)
        if len(likely) < probabilities.shape[1] // 4:
            return probabilities.index_select(1, likely) @ head.index_select(0, likely)
    return probabilities @ head


def _softmax_in_place(logits: Tensor, targets: Tensor) -> Tensor:
    """Turn logits (rows, vocabulary) into their softmax in place; returns the cross-entropies of the targets (rows) in
    fp32. On a CPU, few rows are processed at a time, so that all passes over them stay in its cache."""
    rows = len(logits) if logits.is_cuda else max(1, _CACHE_LOGITS // logits.shape[1])
    losses = []
    for start in range(0, len(logits), rows):
        part = logits[start : start + rows]
        values = part.float()
        likeliest = values.amax(1)
        target_logits = values.gather(1, targets[start : start + rows, None]).squeeze(1)
        probabilities = values.softmax(1)
        # The probability of the likeliest token is never too small for a logarithm.
        losses.append(likeliest - probabilities.amax(1).log() - target_logits)
        part.copy_(probabilities)
    return torch.cat(losses)
