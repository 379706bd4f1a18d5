"""Predictions: stored on disk as they are made, or read from a file that another tool wrote.

The file beside the results begins with the signature of its run: everything that the predictions depend on. A later run
with the same signature resumes it; a run with another signature is refused, so that answers of two models never mix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from degraders.dataset.jsonl import read_csv_rows, read_rows
from degraders.dataset.pairs import Pair
from degraders.errors import UserError
from degraders.files import lock_file, write_text


class Prediction(NamedTuple):
    """The answer to a text, and the text that results from it.

    `raw` is the answer, `text` the result after the guard. `problem` says why the answer cannot be used (a problem of
    `ParsedAnswer`, "no end", "repeat" or "too long"; several are separated by commas), and `guard` why the guard
    rejected pieces of it. `tokens` were generated for `chunks` pieces of the text; the guard rejected `refused` pieces.
    """

    id: str
    raw: str
    text: str
    problem: str = ""
    guard: str = ""
    tokens: int = 0
    chunks: int = 1
    refused: int = 0


class PredictionStore:
    """The predictions of a run on disk: one file for each process, those of processes 1, 2 … with their number.

    `path` is the file of process 0; the values of `signature` must be plain JSON values.
    """

    def __init__(self, path: Path, signature: Mapping[str, Any], *, process: int = 0) -> None:
        self._path = path
        self._signature = json.loads(json.dumps(signature))
        self._own = path if not process else path.with_name(f"{path.stem}-{process}{path.suffix}")
        self._file: BinaryIO | None = None

    def load(self) -> tuple[dict[str, Prediction], int]:
        """The stored predictions by id, and the number of broken lines; UserError if they belong to another run."""
        predictions: dict[str, Prediction] = {}
        broken = 0
        for path in self.files():
            head, *lines = _complete_lines(path) or [b""]
            self._check_signature(path, head)
            for line in lines:
                try:
                    prediction = _parse_prediction(line)
                except (ValueError, TypeError):
                    broken += 1
                else:
                    predictions[prediction.id] = prediction
        return predictions, broken

    def files(self) -> list[Path]:
        """The files of all processes of this or an earlier run."""
        if not self._path.parent.is_dir():
            return []
        first, last = f"{self._path.stem}-", self._path.suffix
        others = [
            path
            for path in self._path.parent.iterdir()
            if path.name.startswith(first) and path.name.endswith(last) and path.stem.removeprefix(first).isdecimal()
        ]
        return [path for path in (self._path, *sorted(others)) if path.is_file()]

    def add(self, prediction: Prediction) -> None:
        """Write a prediction to disk immediately, so that a run that is interrupted does not lose it."""
        if self._file is None:
            self._file = self._open()
        self._file.write(_line(prediction))
        self._file.flush()

    def close(self) -> None:
        if self._file:
            self._file.close()

    def finish(self, predictions: Sequence[Prediction]) -> None:
        """Write all predictions in this order to one file, and remove the files of the other processes."""
        text = orjson.dumps({"signature": self._signature}) + b"\n" + b"".join(map(_line, predictions))
        write_text(self._path, text.decode())
        for path in self.files()[1:]:
            path.unlink()

    def remove(self) -> None:
        for path in self.files():
            path.unlink()

    def _open(self) -> BinaryIO:
        """Open and lock this process's file, positioned after its last complete line."""
        file = self._own.open("ab")
        lock_file(file.fileno(), self._own)
        lines = _complete_lines(self._own)
        file.truncate(sum(len(line) + 1 for line in lines))
        if not lines:
            file.write(orjson.dumps({"signature": self._signature}) + b"\n")
        return file

    def _check_signature(self, path: Path, head: bytes) -> None:
        if not head:
            return
        try:
            stored = dict(orjson.loads(head)["signature"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: not a file of this tool; choose another --out, or pass --force to replace it"
            ) from error
        current = self._signature
        for name in sorted({*stored, *current}):
            if stored.get(name) != current.get(name):
                raise UserError(
                    f"{path}: holds answers of a run with {name} = {stored.get(name)}, now it is {current.get(name)}; "
                    "choose another --out to keep them, or pass --force to replace them"
                )


def _complete_lines(path: Path) -> list[bytes]:
    """The lines of a file that end with a line break; a last line without one was not written completely."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def _parse_prediction(line: bytes) -> Prediction:
    """The prediction of a line; ValueError or TypeError if it is none."""
    prediction = Prediction(**orjson.loads(line))
    for name, value in prediction._asdict().items():
        kind = int if name in ("tokens", "chunks", "refused") else str
        if not isinstance(value, kind):
            raise TypeError(f"{name} is not of the type {kind.__name__}")
    return prediction


def _line(prediction: Prediction) -> bytes:
    return orjson.dumps(prediction._asdict(), option=orjson.OPT_APPEND_NEWLINE)


# Predictions of other tools


def read_predictions(path: Path, pairs: Sequence[Pair], *, field: str = "prediction") -> tuple[list[str], int]:
    """The prediction for each pair from a JSONL, JSONL.gz or CSV file, and the number of rows that match no pair.

    Rows are matched by their `id`. If no row has an id, there must be a row for each pair, in the same order.
    """
    read = read_csv_rows if path.name.lower().endswith(".csv") else read_rows
    numbered = read(path, hint="write one object with id and prediction on each line")
    rows = [_id_and_text(f"{path}:{number}", row, field) for number, row in numbered]
    if not any(name for name, _ in rows):
        if len(rows) != len(pairs):
            raise UserError(f"{path}: {len(rows)} predictions without ids for {len(pairs)} pairs; give each row an id")
        return [text for _, text in rows], 0
    by_id: dict[str, str] = {}
    for name, text in rows:
        if by_id.setdefault(name, text) != text:
            raise UserError(f"{path}: two different predictions for {name!r}; remove one of them")
    missing = [pair.id for pair in pairs if pair.id not in by_id]
    if missing:
        raise UserError(
            f"{path}: no prediction for {len(missing)} of {len(pairs)} pairs, the first is {missing[0]!r}; "
            "choose the pairs with --split and --limit"
        )
    return [by_id[pair.id] for pair in pairs], len(by_id.keys() - {pair.id for pair in pairs})


def _id_and_text(where: str, row: Any, field: str) -> tuple[str, str]:
    fields = row if isinstance(row, dict) else {}
    name, text = str(fields.get("id") or fields.get("_id") or ""), fields.get(field)
    if isinstance(text, str):
        return name, text
    if field not in fields:
        names = ", ".join(map(str, fields)) or "no fields"
        raise UserError(f'{where}: field "{field}" is missing; it has {names} (--prediction_field names another)')
    if text is None:
        answer = f"the answer to {name!r}" if name else "the answer"
        raise UserError(f'{where}: {answer} is missing, its "{field}" is null; write the input if nothing was changed')
    raise UserError(f'{where}: field "{field}" is not a string (--prediction_field names another)')
