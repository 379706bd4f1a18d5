"""Predictions on disk: kept as they are made, gone on with, never mixed; answers from elsewhere, found by id."""

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
MADE = [Prediction(f"a.md:{at}", "raw\r\n", "text", "empty", "empty", at, 1, 1) for at in range(4)]


def test_what_was_made_is_found_again(tmp_path: Path) -> None:
    kept = PredictionStore(tmp_path / "r.predictions.jsonl", SIGNATURE)
    assert kept.found() == ({}, 0)
    for made in MADE:
        kept.add(made)
        assert made.id in PredictionStore(tmp_path / "r.predictions.jsonl", SIGNATURE).found()[0]
    kept.close()
    assert list(kept.found()[0].values()) == MADE


def test_nothing_is_written_before_the_first_answer(tmp_path: Path) -> None:
    PredictionStore(tmp_path / "r.jsonl", SIGNATURE).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [1, 5, 60])
def test_a_line_that_was_not_finished_is_made_again(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "r.jsonl"
    kept = PredictionStore(path, SIGNATURE)
    for made in MADE[:3]:
        kept.add(made)
    kept.close()
    path.write_bytes(path.read_bytes()[:-torn])
    again = PredictionStore(path, SIGNATURE)
    assert list(again.found()[0].values()) == MADE[:2]
    again.add(MADE[3])
    again.close()
    assert list(again.found()[0].values()) == [*MADE[:2], MADE[3]]


def test_a_broken_line_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    kept = PredictionStore(path, SIGNATURE)
    kept.add(MADE[0])
    kept.close()
    path.write_bytes(path.read_bytes() + b'{"id": 3}\n[[\n')
    assert kept.found() == ({MADE[0].id: MADE[0]}, 2)


def test_another_signature_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    kept = PredictionStore(path, SIGNATURE)
    kept.add(MADE[0])
    kept.close()
    with pytest.raises(
        UserError, match="a run with seed = 42, now it is 7; name another --out to keep them, or --force"
    ):
        PredictionStore(path, {**SIGNATURE, "seed": 7}).found()
    path.write_text("id,bad\n")
    with pytest.raises(UserError, match="not a file of this tool"):
        kept.found()


def test_processes_write_files_of_their_own_that_become_one(tmp_path: Path) -> None:
    path = tmp_path / "r.predictions.jsonl"
    both = [PredictionStore(path, SIGNATURE, process=number) for number in range(2)]
    for number, made in enumerate(MADE):
        both[number % 2].add(made)
    for kept in both:
        kept.close()
    assert [file.name for file in both[0].files()] == ["r.predictions.jsonl", "r.predictions-1.jsonl"]
    assert set(both[0].found()[0].values()) == set(MADE)
    both[0].finish(MADE)
    assert [file.name for file in tmp_path.iterdir()] == ["r.predictions.jsonl"]
    assert list(both[0].found()[0].values()) == MADE
    both[0].remove()
    assert both[0].found() == ({}, 0)


def test_a_second_run_that_writes_at_the_same_time_is_refused(tmp_path: Path) -> None:
    first, second = PredictionStore(tmp_path / "r.jsonl", SIGNATURE), PredictionStore(tmp_path / "r.jsonl", SIGNATURE)
    first.add(MADE[0])
    with pytest.raises(UserError, match="another run is writing there"):
        second.add(MADE[1])
    first.close()
    second.add(MADE[1])
    second.close()
    assert list(first.found()[0].values()) == MADE[:2]


PAIRS = [Pair(name, "", "text", "bad", "good", ()) for name in ("a", "b")]


def written(path: Path, *rows: object) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_answers_are_found_by_id(tmp_path: Path, name: str) -> None:
    rows = [{"id": "b", "prediction": "B"}, {"id": "x", "prediction": "X"}, {"id": "a", "prediction": "A\n"}]
    assert read_predictions(written(tmp_path / name, *rows), PAIRS) == (["A\n", "B"], 1)


def test_answers_of_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('id,answer\nb,"B ""said""\nmore"\na,A\n', encoding="utf-8")
    assert read_predictions(path, PAIRS, field="answer") == (["A", 'B "said"\nmore'], 0)


def test_answers_without_ids_stand_in_order(tmp_path: Path) -> None:
    assert read_predictions(written(tmp_path / "p.jsonl", {"prediction": "A"}, {"prediction": "B"}), PAIRS)[0] == [
        "A",
        "B",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prediction": "A"}], "1 answers without ids to 2 pairs"),
        ([{"id": "a", "prediction": "A"}], "no answer to 1 of 2 pairs, the first is 'b'"),
        ([{"id": "a", "prediction": "A"}, {"id": "a", "prediction": "B"}], "two different answers to 'a'"),
        ([{"id": "a", "text": "A"}], r':1: field "prediction" is missing; it has id, text \(--prediction_field'),
        ([[1]], ":1: field"),
    ],
)
def test_answers_that_do_not_fit_the_pairs(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_predictions(written(tmp_path / "p.jsonl", *rows), PAIRS)


def test_a_file_that_holds_no_answers(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("{")
    for name, said in [("p.jsonl", ":1: not JSON"), ("q.jsonl", "No such file")]:
        with pytest.raises(UserError, match=said):
            read_predictions(tmp_path / name, PAIRS)
