"""Data sets of the Hugging Face hub, or local folders in its format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from degraders.errors import UserError


def read_hub_rows(name: str, split: str, *, option: str) -> Iterator[Mapping[str, Any]]:
    """The rows of one split of a data set, read one at a time.

    UserError if the data set cannot be read or lacks the split; `option` is the option that reads a file instead.
    """
    try:
        splits = _open_dataset(name)
        if split not in splits:
            raise UserError(f"{name}: no split {split!r}; it has {', '.join(map(repr, splits))} (--hf_split)")
        yield from splits[split]
    except ConnectionError as error:
        raise UserError(f"{name}: cannot reach the hub; pass a local directory or {option} FILE") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: {str(error).strip() or type(error).__name__}") from error


def _open_dataset(name: str) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """The splits of a data set by name."""
    try:
        import datasets  # here, because it takes seconds to import and most runs read files
    except ImportError as error:
        raise UserError(f"{name}: data sets need a package: pip install datasets") from error
    folder = Path(name)
    if (folder / "dataset_dict.json").is_file():
        return cast(Mapping[str, Any], datasets.load_from_disk(name))
    if (folder / "state.json").is_file():
        dataset = datasets.load_from_disk(name)
        return {str(dataset.split or "train"): dataset}
    return cast(Mapping[str, Any], datasets.load_dataset(name, streaming=True))
