"""Metrics that need a model or the network: the embedding cosine, and those of the evaluate library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from degraders.errors import UserError

HUB_PATIENCE = 5
"""Seconds that the hub may take to answer."""


# Metrics that need a model or the network


def embedding_cosine(
    predictions: Sequence[str], references: Sequence[str], model: str, *, batch: int = 32
) -> list[float]:
    """The cosine of the sentence embeddings of each prediction and its reference, -1 to 1.

    Reimers and Gurevych 2019, "Sentence-BERT". `model` is a folder or a hub name for sentence-transformers. It
    flatters (a "not" put in leaves 0.98), and of a long text it sees the beginning alone: never lead with it.
    UserError if the model is not at hand.
    """
    encoder = _encoder(model)
    texts = list(dict.fromkeys((*predictions, *references)))
    vectors = encoder.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
    vector_of = dict(zip(texts, vectors, strict=True))
    return [float(vector_of[left] @ vector_of[right]) for left, right in zip(predictions, references, strict=True)]


def _encoder(model: str) -> Any:
    hint = "give the folder of a sentence-transformers model, or a hub name where the hub can be reached"
    try:
        # Asked first: to import the library takes seconds, and to learn that there is no hub a minute.
        if not _at_hand(model):
            raise UserError(f"embedding model {model!r} is not on this machine; {hint}")
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UserError(f"the embedding cosine needs a package: pip install {error.name}") from error
    try:
        return SentenceTransformer(model)
    except (OSError, ValueError) as error:
        raise UserError(f"embedding model {model!r} cannot be loaded ({_first_line(error)}); {hint}") from error


def _at_hand(model: str) -> bool:
    """Whether a model is a folder, lies in the hub's cache, or could be fetched."""
    if Path(model).is_dir():
        return True
    from huggingface_hub import constants, try_to_load_from_cache

    name = model if "/" in model else f"sentence-transformers/{model}"
    try:
        if try_to_load_from_cache(name, "modules.json"):
            return True
        if constants.HF_HUB_OFFLINE:
            return False
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=HUB_PATIENCE).close()
    except (OSError, ValueError):  # no way to the hub, or no name of a model
        return False
    return True


class ExtraMetrics:
    """Metrics of the `evaluate` library by hub name or path of a local module, loaded at once so that a wrong name
    shows before the predictions are made."""

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
                # A module of someone else's is run here, which may fail with anything.
                hint = "a hub name needs the network; offline, give the path of the metric's folder"
                raise UserError(f"extra metric {name!r} cannot be loaded ({_first_line(error)}); {hint}") from error

    def __call__(
        self, sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]
    ) -> dict[str, float]:
        """The numbers that each metric gives, as `rouge.rougeL`; of a list of numbers the mean."""
        found: dict[str, float] = {}
        for name, metric in self._metrics.items():
            forms = metric.features if isinstance(metric.features, list) else [metric.features]
            plain = any(getattr(form.get("references"), "dtype", "") == "string" for form in forms)
            texts = {
                "sources": list(sources),
                "predictions": list(predictions),
                "references": list(references) if plain else [[reference] for reference in references],
            }
            try:
                result = metric.compute(**{key: column for key, column in texts.items() if key in forms[0]})
            except Exception as error:
                raise UserError(f"extra metric {name!r} cannot be computed: {_first_line(error)}") from error
            found |= {f"{metric.name}.{key}": value for key, value in _numbers(result or {})}
        return found


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in result.items():
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(one, (int, float, np.number)) for one in values):
            yield key, float(np.mean(values))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
