"""Predictions on disk: stored at once, reused by a resumed run, never mixed; predictions of other tools, by id."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from degraders.dataset.pairs import Pair
from degraders.errors import UserError
from fixer.predictions import Prediction, PredictionStore, read_predictions

pytestmark = pytest.mark.fixer

SIGNATURE = {"model": "lora_out", "seed": 42}
PREDICTIONS = [
    Prediction(f"a.md:{at}", "raw\r\n", "text", problem="empty", guard="empty", tokens=at, refused=1) for at in range(4)
]


def test_stored_predictions_are_loaded_again(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path / "r.predictions.jsonl", SIGNATURE)
    assert store.load() == ({}, 0)
    for prediction in PREDICTIONS:
        store.add(prediction)
        assert prediction.id in PredictionStore(tmp_path / "r.predictions.jsonl", SIGNATURE).load()[0]
    store.close()
    assert list(store.load()[0].values()) == PREDICTIONS


def test_nothing_is_written_before_the_first_answer(tmp_path: Path) -> None:
    PredictionStore(tmp_path / "r.jsonl", SIGNATURE).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [1, 5, 60])
def test_an_incomplete_line_is_ignored(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "r.jsonl"
    store = PredictionStore(path, SIGNATURE)
    for prediction in PREDICTIONS[:3]:
        store.add(prediction)
    store.close()
    path.write_bytes(path.read_bytes()[:-torn])
    again = PredictionStore(path, SIGNATURE)
    assert list(again.load()[0].values()) == PREDICTIONS[:2]
    again.add(PREDICTIONS[3])
    again.close()
    assert list(again.load()[0].values()) == [*PREDICTIONS[:2], PREDICTIONS[3]]


def test_a_broken_line_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store = PredictionStore(path, SIGNATURE)
    store.add(PREDICTIONS[0])
    store.close()
    path.write_bytes(path.read_bytes() + b'{"id": 3}\n[[\n')
    assert store.load() == ({PREDICTIONS[0].id: PREDICTIONS[0]}, 2)


def test_another_signature_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store = PredictionStore(path, SIGNATURE)
    store.add(PREDICTIONS[0])
    store.close()
    with pytest.raises(UserError, match="a run with seed = 42, now it is 7; choose another --out to keep them, or"):
        PredictionStore(path, {**SIGNATURE, "seed": 7}).load()
    path.write_text("id,bad\n")
    with pytest.raises(UserError, match="not a file of this tool"):
        store.load()


def test_the_files_of_all_processes_become_one(tmp_path: Path) -> None:
    path = tmp_path / "r.predictions.jsonl"
    stores = [PredictionStore(path, SIGNATURE, process=number) for number in range(2)]
    for number, prediction in enumerate(PREDICTIONS):
        stores[number % 2].add(prediction)
    for store in stores:
        store.close()
    assert [file.name for file in stores[0].files()] == ["r.predictions.jsonl", "r.predictions-1.jsonl"]
    assert set(stores[0].load()[0].values()) == set(PREDICTIONS)
    stores[0].finish(PREDICTIONS)
    assert [file.name for file in tmp_path.iterdir()] == ["r.predictions.jsonl"]
    assert list(stores[0].load()[0].values()) == PREDICTIONS
    stores[0].remove()
    assert stores[0].load() == ({}, 0)


@pytest.mark.parametrize("row", ["5", '{"id": []}', '{"id": "a", "raw": "b", "text": 5}', '{"id": "a"}'])
def test_a_stored_row_that_is_no_prediction_is_counted_as_broken(tmp_path: Path, row: str) -> None:
    store = PredictionStore(tmp_path / "r.jsonl", SIGNATURE)
    store.add(PREDICTIONS[0])
    store.close()
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write(row + "\n")
    assert store.load() == ({PREDICTIONS[0].id: PREDICTIONS[0]}, 1)


@pytest.mark.parametrize("head", ["5", '{"signature": 5}', '{"signature": ["x"]}'])
def test_a_file_without_a_signature_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "r.jsonl").write_text(head + "\n")
    with pytest.raises(UserError, match="not a file of this tool"):
        PredictionStore(tmp_path / "r.jsonl", SIGNATURE).load()


def test_a_second_run_that_writes_at_the_same_time_is_refused(tmp_path: Path) -> None:
    first, second = PredictionStore(tmp_path / "r.jsonl", SIGNATURE), PredictionStore(tmp_path / "r.jsonl", SIGNATURE)
    first.add(PREDICTIONS[0])
    with pytest.raises(UserError, match="another run is writing there"):
        second.add(PREDICTIONS[1])
    first.close()
    second.add(PREDICTIONS[1])
    second.close()
    assert list(first.load()[0].values()) == PREDICTIONS[:2]


PAIRS = [Pair(id=name, context="", format="text", bad="bad", good="good", spans=()) for name in ("a", "b")]


def write_rows(path: Path, *rows: object) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_predictions_of_other_tools_are_matched_by_id(tmp_path: Path, name: str) -> None:
    rows = [{"id": "b", "prediction": "B"}, {"id": "x", "prediction": "X"}, {"id": "a", "prediction": "A\n"}]
    assert read_predictions(write_rows(tmp_path / name, *rows), PAIRS) == (["A\n", "B"], 1)


def test_predictions_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('id,answer\nb,"B ""quoted""\nmore"\na,A\n', encoding="utf-8")
    assert read_predictions(path, PAIRS, field="answer") == (["A", 'B "quoted"\nmore'], 0)


def test_predictions_without_ids_are_matched_by_order(tmp_path: Path) -> None:
    assert read_predictions(write_rows(tmp_path / "p.jsonl", {"prediction": "A"}, {"prediction": "B"}), PAIRS)[0] == [
        "A",
        "B",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"prediction": "A"}], "1 predictions without ids for 2 pairs"),
        ([{"id": "a", "prediction": "A"}], "no prediction for 1 of 2 pairs, the first is 'b'"),
        ([{"id": "a", "prediction": "A"}, {"id": "a", "prediction": "B"}], "two different predictions for 'a'"),
        ([{"id": "a", "text": "A"}], r':1: field "prediction" is missing; it has id, text \(--prediction_field'),
        ([[1]], r':1: field "prediction" is missing; it has no fields'),
        ([{"id": "a", "prediction": None}], r":1: the answer to 'a' is missing, its \"prediction\" is null; write the"),
        ([{"prediction": None}], r":1: the answer is missing, its \"prediction\" is null"),
        ([{"id": "a", "prediction": 5}], r':1: field "prediction" is not a string'),
    ],
)
def test_predictions_that_do_not_match_the_pairs_are_refused(tmp_path: Path, rows: list[object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_predictions(write_rows(tmp_path / "p.jsonl", *rows), PAIRS)


def test_a_file_without_predictions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("{")
    for name, message in [("p.jsonl", ":1: not JSON"), ("q.jsonl", "No such file")]:
        with pytest.raises(UserError, match=message):
            read_predictions(tmp_path / name, PAIRS)
