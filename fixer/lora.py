"""Fused LoRA layers: the adapter's products are computed in the base's own type, and dropout costs a fifth.

peft computes an adapter in fp32 beside a base in bf16: it copies the inputs, and products in fp32 are several times
slower. Here the trained weights stay in fp32, and their products are computed in the type of the activations. The input
and the dropout mask, which the backward pass needs, are stored once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

_STEPS = 2**15
"""The dropout probability is a multiple of 1 / _STEPS."""


def fuse(model: nn.Module) -> int:
    """Let the LoRA layers of a model compute with `_FusedLora` where it applies; returns how many of them do."""
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer) and _is_plain_lora(module)]
    for layer in layers:
        layer.forward = partial(_forward, layer, layer.forward)
    return len(layers)


def _is_plain_lora(layer: Any) -> bool:
    """Whether a layer is plain LoRA on a linear layer: no variant (DoRA, …), no embedding, no transposed weights."""
    linear = isinstance(layer.get_base_layer(), nn.Linear) and len(layer.lora_A) == 1
    return linear and not layer.lora_variant and not any(layer.lora_bias.values())


def _forward(layer: Any, unfused: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if layer.disable_adapters or layer.merged or args or kwargs or torch.is_autocast_enabled():
        output: Tensor = unfused(x, *args, **kwargs)
        return output
    (name,) = layer.lora_A
    base = layer.get_base_layer()
    rate = layer.lora_dropout[name].p if layer.training and not isinstance(layer.lora_dropout[name], nn.Identity) else 0
    mask = _dropout_mask(x, rate) if rate else None
    scale = layer.scaling[name] / (1 - rate)
    flat = x.reshape(-1, x.shape[-1])
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    out: Tensor = _FusedLora.apply(flat, a, b, base, scale, mask)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], out.shape[-1])


def _weight(base: nn.Linear, dtype: torch.dtype) -> Tensor:
    """The weights (out, in) of a linear layer, dequantised if they are in 4 bits."""
    state = getattr(base.weight, "quant_state", None)
    if state is None:
        return base.weight.to(dtype)
    from bitsandbytes.functional import dequantize_4bit

    weight: Tensor = dequantize_4bit(base.weight.data, state).to(dtype)
    return weight


class _FusedLora(Function):
    """x W' + scale · dropout(x) A' B', and its gradients for x, A and B (LoRA, Hu et al. 2021); W is frozen.

    `x` (tokens, in), `a` (rank, in), `b` (out, rank); `mask` (tokens, in) is the dropout mask; `scale` includes the
    factor of dropout, 1 / (1 - rate).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, a: Tensor, b: Tensor, base: nn.Linear, scale: float, mask: Tensor | None
    ) -> Tensor:
        low = _apply_mask(x, mask) @ a.to(x.dtype).T
        out = nn.functional.linear(x, _weight(base, x.dtype), None if base.bias is None else base.bias.to(x.dtype))
        out.addmm_(low, b.to(x.dtype).T, alpha=scale)
        ctx.save_for_backward(x, a, b, low, mask)
        ctx.base, ctx.scale = base, scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, a, b, low, mask = ctx.saved_tensors
        (grad,) = grads
        low_grad = (grad @ b.to(grad.dtype)) * ctx.scale
        a_grad = low_grad.T @ _apply_mask(x, mask)
        b_grad = (grad.T @ low) * ctx.scale
        x_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = grad @ _weight(ctx.base, grad.dtype)
            x_grad += _apply_mask(low_grad @ a.to(grad.dtype), mask)
        return x_grad, a_grad.to(a.dtype), b_grad.to(b.dtype), None, None, None


def _dropout_mask(x: Tensor, rate: float) -> Tensor:
    """A mask (tokens, in) of 16-bit numbers: all bits are set where x is kept, none where it is dropped.

    One random 64-bit number serves four elements; a random float for each makes dropout slow on a CPU.
    """
    shape = (x.numel() // x.shape[-1], x.shape[-1])
    count = shape[0] * shape[1]
    draws = torch.empty(-(-count // 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    numbers = draws.view(torch.int16)[:count].view(shape)
    # From 0 to _STEPS - 1, minus the limit: the sign bit says which elements are dropped, and the shift spreads it.
    numbers.bitwise_and_(_STEPS - 1).sub_(round(rate * _STEPS))
    return numbers.bitwise_right_shift_(15).bitwise_not_()


def _apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x
    if x.element_size() == mask.element_size():
        return (x.view(mask.dtype) & mask).view(x.dtype)
    return x * mask.bool()
