"""Models and tokenizers: base models in 4 bits, new and trained adapters, and the tiny model of `--debug_tiny`.

A base model is named by its id on the hub, by a folder, or by `TINY`. Code that comes with a model runs only if
`trust_remote_code` allows it.
"""

from __future__ import annotations

import hashlib
import json
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

from degraders.errors import UserError, first_line
from fixer.prompts import STYLE_FILE, PromptStyle

TINY = "debug-tiny"
"""Name of the tiny model, which is created when it is loaded."""
ADAPTER_CONFIG = "adapter_config.json"
_BITS = (4, 16, 32)
_WITHOUT_WEIGHTS = {"meta-llama/Llama-2-7b": "meta-llama/Llama-2-7b-hf"}
"""Ids that hold no transformers weights, and the ids that do."""
_MODEL_FILES = ("*.safetensors", "*.bin", "*config.json", "tokenizer*", "*.jinja", STYLE_FILE)
_MAX_HASHED_BYTES = 200_000_000
_NO_CONNECTION = ("offline", "couldn't connect", "connectionerror", "maxretry", "localentrynotfound")
_SMALLER_MODEL = "pass a smaller --base_model, --bits 4, or --device_map cpu"
# When imported, it recommends a package for the kernels that `_keep_unpacked` switches off.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
# It reports the types of weights that `merge_adapter` dequantises.
logging.getLogger("transformers.integrations.bitsandbytes").setLevel(logging.ERROR)


def check_bits(bits: int) -> None:
    """ValueError if models cannot be loaded in this many bits."""
    if bits not in _BITS:
        raise ValueError(f"bits is {bits}, not one of {', '.join(map(str, _BITS))}")


def resolve_base_name(name: str) -> str:
    """The name to load: an id without transformers weights is replaced, with a message on stderr, by the one that has
    them."""
    loadable = _WITHOUT_WEIGHTS.get(name, name)
    if loadable != name:
        print(f"{name} holds no transformers weights; loading {loadable}", file=sys.stderr)
    return loadable


def load_tokenizer(name: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a model, with a padding token: one that exists, because a new one would need new embeddings.

    UserError if it cannot be loaded, or has no token for padding.
    """
    from transformers import AutoTokenizer

    with _model_source(name) as source, _loading_errors(name):
        tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise UserError(f"{name}: its tokenizer has no token for padding; choose another --base_model")
    return tokenizer


def load_base(
    name: str,
    *,
    bits: int,
    device: torch.device,
    attention: str = "auto",
    trust_remote_code: bool = False,
) -> Any:
    """A causal language model on a device, in evaluation mode.

    4 bits are NF4 with double quantisation (QLoRA, Dettmers et al. 2023), computed in bf16 if the hardware supports it;
    16 are bf16 and 32 fp32, both unquantised. UserError if the model cannot be loaded or quantised, or if it does not
    fit on the device.
    """
    from transformers import AutoModelForCausalLM

    check_bits(bits)
    if attention == "auto":
        # On a CPU the fused kernel takes several times as long as three separate products in bf16.
        attention = "eager" if device.type == "cpu" else "sdpa"
    dtype = torch.float32 if bits == 32 or (bits == 4 and not has_bf16(device)) else torch.bfloat16
    settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}, "attn_implementation": attention}
    if bits == 4:
        settings["quantization_config"] = _nf4(dtype)
    with _model_source(name) as source, _loading_errors(name), _quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(source, trust_remote_code=trust_remote_code, **settings)
    _keep_unpacked(model)
    model.name_or_path = name  # adapters store this name, not the temporary folder of the tiny model
    model.config.use_cache = False
    return model.eval()


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bf16; fp16 is no substitute, because training diverges in it."""
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
        bnb_4bit_quant_storage=dtype,  # FSDP can only shard weights of a single type
    )


def _keep_unpacked(model: nn.Module) -> None:
    """Keep bitsandbytes from repacking weights for the CPU in the first pass without gradients.

    It never unpacks them: training after an evaluation would silently use a kernel that computes no gradients.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def add_lora(base: Any, *, r: int, alpha: float, dropout: float, seed: int) -> Any:
    """The base with a new adapter (LoRA, Hu et al. 2021) on all linear layers except the head; the base is frozen.

    The initial weights of the adapter depend on the seed alone, not on earlier random numbers.
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
    dequantised: bool = False,
) -> tuple[Any, Any, PromptStyle]:
    """Model, tokenizer and prompt style of an adapter's folder; pass `base` if its base model has moved.

    If `dequantised`, the linear layers of a base in 4 bits keep their quantised values, but in fp32. UserError if
    something is missing, or if base and adapter do not fit together.
    """
    from peft import PeftModel

    style = PromptStyle.load(folder)
    name = resolve_base_name(base or read_base_name(folder))
    try:
        model = load_base(name, bits=bits, device=device, attention=attention, trust_remote_code=trust_remote_code)
    except UserError as error:
        raise UserError(f"{folder}: its base model: {error}; if it has moved, pass --base_model") from error
    if dequantised and bits == 4:
        model = model.dequantize(torch.float32)
    try:
        with _quiet():
            adapted = PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # a damaged file raises whatever its reader meets first
        raise UserError(f"{folder}: this adapter is damaged or does not fit {name} ({first_line(error)})") from error
    return adapted.eval(), load_tokenizer(str(folder), trust_remote_code=trust_remote_code), style


def read_base_name(folder: Path) -> str:
    """The name of an adapter's base model, as its folder gives it."""
    try:
        return str(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except FileNotFoundError as error:
        raise UserError(f"{folder}: holds no adapter ({ADAPTER_CONFIG} is missing)") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / ADAPTER_CONFIG}: cannot be read ({first_line(error)})") from error


def merge_adapter(folder: Path, target: Path, *, bits: int) -> None:
    """Write base and adapter as one plain model in 16 bits, with tokenizer and prompt style beside it.

    `bits` are those that the adapter was trained with: one that was trained on a base in 4 bits has learned to
    compensate the errors of its weights, so it is added to these weights and not to the original ones. The folder
    `target` is written completely or not at all.
    """
    # The sum is computed in fp32 and rounded once; nothing can be merged into weights in 4 bits.
    bits = 4 if bits == 4 else 32
    model, tokenizer, style = load_adapter(folder, bits=bits, device=torch.device("cpu"), dequantised=True)
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
    """Whether a folder contains the prompt style of its model."""
    return (folder / STYLE_FILE).is_file()


def unwrap_base(model: Any) -> Any:
    """The base model inside an adapted model, with the adapter's layers in it; any other model as it is."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if unwrap else model


def fingerprint(folder: Path) -> str:
    """A digest of a model's folder: names and sizes of its files, and the contents of files under 200 MB.

    Empty if there is no such folder, as for a model of the hub.
    """
    if not folder.is_dir():
        return ""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _MODEL_FILES for path in folder.glob(pattern) if path.is_file()}):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        if size < _MAX_HASHED_BYTES:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


@contextmanager
def _model_source(name: str) -> Iterator[str]:
    """The name or folder from which a base is loaded; for the tiny model, a temporary folder."""
    if name != TINY:
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="debug-tiny-") as folder:
        model = tiny_model()
        # `save_pretrained` writes only in the first of several processes.
        model.config.save_pretrained(folder)
        save_file(model.state_dict(), Path(folder, "model.safetensors"), metadata={"format": "pt"})
        tiny_tokenizer().save_pretrained(folder)
        yield folder


def tiny_model() -> Any:
    """A Llama of two layers whose tokens are bytes; its widths are multiples of 64, as 4-bit kernels need.

    Its weights come from random integers, not from a normal distribution, whose last bits differ between machines.
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
                integers = torch.randint(-(2**15), 2**15, weight.shape, generator=generator)
                weight.copy_(integers / 2**15 * (3 / weight.shape[1]) ** 0.5)
    return model


def tiny_tokenizer() -> Any:
    """The tokenizer of the tiny model: one token for each byte, and tokens for start, end and padding."""
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
    """Hide what does not help a user: progress bars over shards, and peft's warnings about names in transformers."""
    from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    bars_enabled = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if bars_enabled:
            enable_progress_bar()


@contextmanager
def _loading_errors(name: str) -> Iterator[None]:
    """Turn the errors of libraries during loading into a UserError with advice."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"{name}: does not fit on the GPU; {_SMALLER_MODEL}") from error
    except Exception as error:  # a damaged file raises whatever its reader meets first; tokenizers, a plain Exception
        raise UserError(f"{name}: {_advice(name, error)}") from error


def _advice(name: str, error: Exception) -> str:
    """Why a model could not be loaded, and what to do."""
    chain, messages = error, ""
    while chain:
        messages += f"{type(chain).__name__} {chain}\n".lower()
        chain = chain.__cause__ or chain.__context__  # type: ignore[assignment]
    if "gated" in messages or "401 client error" in messages or "403 client error" in messages:
        return "is gated; accept its licence on its page and run `hf auth login`, or pass another --base_model"
    if "remote_code" in messages:
        return "comes with its own code; pass --trust_remote_code if you trust it"
    if any(sign in messages for sign in _NO_CONNECTION):
        return "is not on this machine, and the hub cannot be reached; pass a folder with the model, or --debug_tiny"
    if "bitsandbytes" in messages and ("cuda" in messages or "import" in messages):
        return f"bitsandbytes cannot work here ({first_line(error)}); reinstall it for this CUDA, or pass --bits 16"
    if "flash" in messages and "attn" in messages:
        return f"{first_line(error)}; pass --attention sdpa"
    if "can't allocate memory" in messages or "not enough memory" in messages:
        return f"does not fit into memory; {_SMALLER_MODEL}"
    if Path(name).is_dir():
        return f"this folder contains no model that transformers can load ({first_line(error)})"
    return f"cannot be loaded ({first_line(error)}); pass a folder or an id of the hub"
