"""Metrics that need a model or the network: the embedding cosine and the metrics of the evaluate library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from degraders.errors import UserError, first_line

HUB_TIMEOUT = 5
"""Seconds to wait for the hub."""


def embedding_cosine(
    predictions: Sequence[str], references: Sequence[str], model: str, *, batch: int = 32
) -> list[float]:
    """The cosine of the sentence embeddings of each prediction and its reference, -1 to 1.

    Reimers and Gurevych 2019, "Sentence-BERT". `model` is a folder or a hub name for sentence-transformers. The cosine
    is a weak measure of repairs: an inserted "not" still gives 0.98, and only the beginning of a long text is encoded.
    UserError if the model is not available.
    """
    encoder = _load_encoder(model)
    texts = list(dict.fromkeys((*predictions, *references)))
    vectors = encoder.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
    vector_of = dict(zip(texts, vectors, strict=True))
    return [float(vector_of[left] @ vector_of[right]) for left, right in zip(predictions, references, strict=True)]


def _load_encoder(model: str) -> Any:
    hint = "pass the folder of a sentence-transformers model, or a hub name if the hub can be reached"
    try:
        # Checked first: importing the library takes seconds, and its own search for an unreachable hub a minute.
        if not _is_available(model):
            raise UserError(f"embedding model {model!r} is not on this machine; {hint}")
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UserError(f"the embedding cosine needs a package: pip install {error.name}") from error
    try:
        return SentenceTransformer(model)
    except (OSError, ValueError) as error:
        raise UserError(f"embedding model {model!r} cannot be loaded ({first_line(error)}); {hint}") from error


def _is_available(model: str) -> bool:
    """Whether a model is a folder, is in the cache of the hub, or can probably be downloaded."""
    if Path(model).is_dir():
        return True
    from huggingface_hub import constants, try_to_load_from_cache

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        if try_to_load_from_cache(name, "modules.json"):
            return True
        if constants.HF_HUB_OFFLINE:
            return False
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=HUB_TIMEOUT).close()
    except (OSError, ValueError):  # the hub cannot be reached, or the name is not valid
        return False
    return True


class ExtraMetrics:
    """Metrics of the `evaluate` library by hub name or path of a local module.

    They are loaded at once, so that a wrong name is reported before predictions are generated.
    """

    def __init__(self, names: Sequence[str]) -> None:
        try:
            import evaluate
        except ImportError as error:
            raise UserError("extra metrics need the evaluate library: pip install evaluate") from error
        self._metrics: dict[str, Any] = {}
        for name in names:
            try:
                self._metrics[name] = evaluate.load(name)
            except Exception as error:
                # This runs the module's own code, which may raise anything.
                hint = "a hub name needs the network; offline, pass the path of the metric's folder"
                raise UserError(f"extra metric {name!r} cannot be loaded ({first_line(error)}); {hint}") from error

    def __call__(
        self, sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]
    ) -> dict[str, float]:
        """The numbers of each metric under names such as `rouge.rougeL`; the mean of a list of numbers."""
        values: dict[str, float] = {}
        for name, metric in self._metrics.items():
            schemas = metric.features if isinstance(metric.features, list) else [metric.features]
            one_reference = any(getattr(schema.get("references"), "dtype", "") == "string" for schema in schemas)
            texts = {
                "sources": list(sources),
                "predictions": list(predictions),
                "references": list(references) if one_reference else [[reference] for reference in references],
            }
            try:
                result = metric.compute(**{key: column for key, column in texts.items() if key in schemas[0]})
            except Exception as error:
                raise UserError(f"extra metric {name!r} cannot be computed: {first_line(error)}") from error
            values |= {f"{metric.name}.{key}": value for key, value in _numbers(result or {})}
        return values


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in result.items():
        items = value if isinstance(value, list) else [value]
        if items and all(isinstance(item, (int, float, np.number)) for item in items):
            yield key, float(np.mean(items))
