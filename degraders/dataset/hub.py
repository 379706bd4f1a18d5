"""Data sets of the Hugging Face hub, or local folders in its format."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from degraders.errors import UserError


def unknown_split(name: str, split: str, splits: Iterable[str]) -> UserError:
    """What to tell of a split that a data set lacks."""
    return UserError(f"{name}: no split {split!r}; it has {', '.join(map(repr, splits))} (--hf_split)")


def open_hub_dataset(name: str) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """The splits of a data set, by name; rows are read as they are asked for."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise UserError(f"{name}: data sets need a package: pip install datasets") from error
    saved = Path(name)
    if (saved / "dataset_dict.json").is_file():
        return cast(Mapping[str, Any], datasets.load_from_disk(name))
    if (saved / "state.json").is_file():
        dataset = datasets.load_from_disk(name)
        return {str(dataset.split or "train"): dataset}
    return cast(Mapping[str, Any], datasets.load_dataset(name, streaming=True))


@contextmanager
def hub_errors(name: str, instead: str = "--input") -> Iterator[None]:
    """Turns what the library raises into a UserError that names the option to use instead."""
    try:
        yield
    except ConnectionError as error:
        raise UserError(f"{name}: cannot reach the hub; pass a local directory or {instead} FILE") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: {str(error).strip() or type(error).__name__}") from error
