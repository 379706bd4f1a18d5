"""The loss of the targets: logits only where a target is predicted, and never more than a tile of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import cross_entropy

from fixer.batching import Batch

TILE = 128
"""Target positions whose logits stand in memory together, at most."""
_CACHED = 2**18
"""Logits that a core's cache holds: on the CPU the softmax runs over so many at a time."""


_NEGLIGIBLE = 1e-6


class FixerModel(nn.Module):
    """A causal language model that maps a batch to the weighted sum of its targets' cross-entropies (a scalar)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._plain_head = not _head_is_linear(model)

    def forward(self, batch: Batch) -> Tensor:
        if self._plain_head:
            logits = self.model(input_ids=batch.input_ids, use_cache=False).logits.flatten(0, 1)[batch.places]
            losses = cross_entropy(logits.float(), batch.targets, reduction="none")
            return (losses * batch.weights).sum()
        base = _base(self.model)
        hidden = base.base_model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
        head = base.get_output_embeddings()
        places = hidden.flatten(0, 1)[batch.places]
        loss: Tensor = _TiledLoss.apply(places, head.weight, batch.targets, batch.weights)  # type: ignore[no-untyped-call]
        return loss


def _base(model: Any) -> Any:
    """The model itself; an adapter's layers stand inside it."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if unwrap else model


@torch.no_grad()
def _head_is_linear(model: Any) -> bool:
    """Whether the logits are the last hidden state times the head's weights: no bias, no scale, no cap."""
    base = _base(model)
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

    The gradient for the hidden states, softmax · head - head[target], is formed with the loss, tile by tile, so that
    no logits are kept and none is computed twice; the head itself is frozen.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        gradient = torch.empty_like(hidden) if hidden.requires_grad else None
        total = hidden.new_zeros((), dtype=torch.float32)
        for part in _tiles(len(hidden)):
            logits = hidden[part] @ head.T
            losses = _to_softmax(logits, targets[part])
            total += losses @ weights[part]
            if gradient is not None:
                mean = _mean(logits, head)
                gradient[part] = (mean - head[targets[part]]) * weights[part, None].to(mean.dtype)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None, None, None


def _tiles(targets: int) -> Iterator[slice]:
    """Ranges of targets, about as many in each: a product of few rows takes as long as one of many."""
    count = -(-targets // TILE)
    for number in range(count):
        yield slice(targets * number // count, targets * (number + 1) // count)


def _mean(shares: Tensor, head: Tensor) -> Tensor:
    """The head's rows (targets, width), averaged by shares (targets, vocabulary).

    On a CPU, in bf16, tokens that are likely nowhere in the tile are left out: with `_NEGLIGIBLE` what is lost is half
    of what rounding to bf16 loses, and of a large vocabulary one row in ten is left.
    """
    if shares.dtype == torch.bfloat16 and not shares.is_cuda:
        likely = (shares.amax(0) > _NEGLIGIBLE).nonzero().squeeze(1)
        if len(likely) < shares.shape[1] // 4:
            return shares.index_select(1, likely) @ head.index_select(0, likely)
    return shares @ head


def _to_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    """Turn logits (rows, vocabulary) into their softmax in place; returns the cross-entropies of the targets, (rows)
    in fp32. The CPU takes few rows at a time, so that all passes over them stay in its cache."""
    rows = len(logits) if logits.is_cuda else max(1, _CACHED // logits.shape[1])
    losses = []
    for start in range(0, len(logits), rows):
        part = logits[start : start + rows]
        values = part.float()
        likeliest = values.amax(1)
        wanted = values.gather(1, targets[start : start + rows, None]).squeeze(1)
        shares = values.softmax(1)
        # The likeliest token's share is never too small for a logarithm.
        losses.append(likeliest - shares.amax(1).log() - wanted)
        part.copy_(shares)
    return torch.cat(losses)
