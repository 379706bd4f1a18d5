"""Models and tokenizers: base models in 4 bits, fresh adapters, trained ones, and the tiny model of `--debug_tiny`.

A base is a name of the hub, a folder of one, or `TINY`. Its own code runs only where `trust_remote_code` allows it.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from degraders.errors import UserError
from fixer.prompts import STYLE_FILE as STYLE
from fixer.prompts import PromptStyle

TINY = "debug-tiny"
"""Name of the model that is made on the spot."""
_WITHOUT_WEIGHTS = {"meta-llama/Llama-2-7b": "meta-llama/Llama-2-7b-hf"}
_SMALLEST = "pass a smaller --base_model, --bits 4, or --device_map cpu"
ADAPTER_CONFIG = "adapter_config.json"
# On its import it would like a package for the very kernels that `_keep_unpacked` forbids.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def base_name(name: str) -> str:
    """The name that loads: an id that holds no transformers weights gives way, with a word on stderr, to its twin."""
    found = _WITHOUT_WEIGHTS.get(name, name)
    if found != name:
        print(f"{name} holds no transformers weights; loading {found}", file=sys.stderr)
    return found


def load_tokenizer(name: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a model, with a token to pad with; none is added, for it would need embeddings that no base has.

    UserError if it is not to be had, or has no token that could pad.
    """
    from transformers import AutoTokenizer

    with _folder(name) as source, _faults(name):
        tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise UserError(f"{name}: its tokenizer has no token to pad with; choose another --base_model")
    return tokenizer


def load_base(
    name: str,
    *,
    bits: int,
    device: torch.device,
    attention: str = "auto",
    trust_remote_code: bool = False,
) -> Any:
    """A causal language model on a device, in evaluation mode: NF4 with double quantisation at 4 bits (QLoRA, Dettmers
    et al. 2023), computing in bf16 where the hardware has it; or unquantised bf16 (16) or fp32 (32).

    UserError if it is not to be had, cannot be quantised, or does not fit on the device.
    """
    from transformers import AutoModelForCausalLM

    if attention == "auto":
        # On a CPU the fused kernel takes several times as long as three plain products in bf16.
        attention = "eager" if device.type == "cpu" else "sdpa"
    dtype = torch.float32 if bits == 32 or (bits == 4 and not has_bf16(device)) else torch.bfloat16
    settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}, "attn_implementation": attention}
    if bits == 4:
        settings["quantization_config"] = _nf4(dtype)
    with _folder(name) as source, _faults(name), _quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(source, trust_remote_code=trust_remote_code, **settings)
    _keep_unpacked(model)
    model.name_or_path = name  # what an adapter will name as its base, even if that was made in a folder now gone
    model.config.use_cache = False
    return model.eval()


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16 by itself; fp16 is no substitute, for training diverges in it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _nf4(dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,  # FSDP shards weights of one type alone
    )


def _keep_unpacked(model: nn.Module) -> None:
    """Forbid bitsandbytes to repack weights for the CPU at the first pass without gradients: it never unpacks them,
    and training after an evaluation would run through a kernel that has no gradients, without an error."""
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def add_lora(base: Any, *, r: int, alpha: float, dropout: float, seed: int) -> Any:
    """The base with a fresh adapter (LoRA, Hu et al. 2021) on all linear layers but the head; the base is frozen.

    The adapter's first weights depend on the seed alone, not on what was drawn before.
    """
    from peft import LoraConfig, get_peft_model

    for weight in base.parameters():
        weight.requires_grad_(False)
    config = LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    with _quiet():
        return get_peft_model(base, config)


def load_adapter(
    folder: Path,
    *,
    bits: int,
    device: torch.device,
    base: str | None = None,
    attention: str = "auto",
    trust_remote_code: bool = False,
) -> tuple[Any, Any, PromptStyle]:
    """Model, tokenizer and prompt style of an adapter's folder; `base` names its base model if it has moved.

    UserError if something is missing, or if base and adapter do not belong together.
    """
    from peft import PeftModel

    style = PromptStyle.load(folder)
    name = base_name(base or base_of(folder))
    try:
        model = load_base(name, bits=bits, device=device, attention=attention, trust_remote_code=trust_remote_code)
    except UserError as error:
        raise UserError(f"{folder}: its base model: {error}; --base_model names another place") from error
    try:
        with _quiet():
            adapted = PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise UserError(f"{folder}: this adapter does not fit {name} ({_first_line(error)})") from error
    return adapted.eval(), load_tokenizer(str(folder), trust_remote_code=trust_remote_code), style


def base_of(folder: Path) -> str:
    """The name of the base model that an adapter's folder names."""
    import json

    try:
        return str(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except FileNotFoundError as error:
        raise UserError(f"{folder}: holds no adapter ({ADAPTER_CONFIG} is missing)") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / ADAPTER_CONFIG}: cannot be read ({_first_line(error)})") from error


def merge(folder: Path, target: Path, *, base: str | None = None) -> None:
    """Write base and adapter as one plain model in 16 bits (a base in 4 bits cannot be merged into), whole or not at
    all; tokenizer and prompt style stand beside it."""
    # The sum is formed in fp32 and rounded once.
    model, tokenizer, style = load_adapter(folder, bits=32, device=torch.device("cpu"), base=base)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as name:
        partial = Path(name) / target.name
        merged = model.merge_and_unload(safe_merge=True).to(torch.bfloat16)
        merged.config.use_cache = True
        with _quiet():
            merged.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        style.save(partial)
        partial.replace(target)


def is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file()


def has_style(folder: Path) -> bool:
    """Whether a folder says how its model wants to be asked."""
    return (folder / STYLE).is_file()


@contextmanager
def _folder(name: str) -> Iterator[str]:
    """Where a base is loaded from: the tiny one from a folder that is made for the moment."""
    if name != TINY:
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="debug-tiny-") as folder:
        model = tiny_model()
        # Not by `save_pretrained`, which writes in the first of several processes alone.
        model.config.save_pretrained(folder)
        save_file(model.state_dict(), Path(folder, "model.safetensors"), metadata={"format": "pt"})
        tiny_tokenizer().save_pretrained(folder)
        yield folder


def tiny_model() -> Any:
    """A Llama of two layers whose tokens are bytes; widths are multiples of 64, which 4-bit kernels need.

    Its weights come from whole random numbers, not from a normal distribution, whose last bits differ between machines.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=320,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=256,
        eos_token_id=257,
        pad_token_id=258,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                drawn = torch.randint(-(2**15), 2**15, weight.shape, generator=generator)
                weight.copy_(drawn / 2**15 * (3 / weight.shape[1]) ** 0.5)
    return model


def tiny_tokenizer() -> Any:
    """The tokenizer of the tiny model: one token a byte, and tokens that start, end and pad."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate([*alphabet, *special.values()])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what is no news to a user: bars over shards, and peft's use of names that transformers is to change."""
    from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if shown:
            enable_progress_bar()


@contextmanager
def _faults(name: str) -> Iterator[None]:
    """Turns what the libraries raise while loading into a UserError that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"{name}: does not fit on the GPU; {_SMALLEST}") from error
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        raise UserError(f"{name}: {_advice(name, error)}") from error


def _advice(name: str, error: Exception) -> str:
    """What is wrong with a model that did not load, and what to do."""
    chain, text = error, ""
    while chain:
        text += f"{type(chain).__name__} {chain}\n"
        chain = chain.__cause__ or chain.__context__  # type: ignore[assignment]
    said = text.lower()
    if "gated" in said or "401 client error" in said or "403 client error" in said:
        return "is gated; accept its licence on its page and run `hf auth login`, or pass another --base_model"
    if "remote_code" in said:
        return "brings its own code; pass --trust_remote_code if you trust it"
    if any(
        sign in said for sign in ("offline", "couldn't connect", "connectionerror", "maxretry", "localentrynotfound")
    ):
        return "is not on this machine, and the hub is not reached; pass a folder that holds the model, or --debug_tiny"
    if "bitsandbytes" in said and ("cuda" in said or "import" in said):
        return f"bitsandbytes cannot work here ({_first_line(error)}); reinstall it for this CUDA, or pass --bits 16"
    if "flash" in said and "attn" in said:
        return f"{_first_line(error)}; pass --attention sdpa"
    if "can't allocate memory" in said or "not enough memory" in said:
        return f"does not fit into memory; {_SMALLEST}"
    if Path(name).is_dir():
        return f"this folder holds no model that transformers can load ({_first_line(error)})"
    return f"cannot be loaded ({_first_line(error)}); pass a folder or an id of the hub"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
