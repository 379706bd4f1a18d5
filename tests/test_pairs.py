"""Pairs from records and from anyone's data: spans exact, pieces that join again."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degraders.dataset.pairs import Fields, Pair, align_spans, read_hub_pairs, read_pairs, restore_good
from degraders.errors import UserError
from fixer.windows import split_pair, split_text

pytestmark = pytest.mark.fixer

GOOD = "# Title\n\nOne two three.\n\n- first item\n- second item\n\n```sh\nrun it\n\nagain\n```\n\nThe end.\n"
BAD = GOOD.replace("two", "tow").replace("second ", "").replace("The end", "The the end")


def pair_of(bad: str, good: str) -> Pair:
    return Pair("p", "", "markdown", bad, good, align_spans(bad, good))


def written(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@given(st.text("ab \n-#`", max_size=60), st.text("ab \n-#`", max_size=60))
def test_aligned_spans_lead_from_bad_to_good(bad: str, good: str) -> None:
    spans = align_spans(bad, good)
    assert restore_good(bad, spans) == good
    assert all(good[span.good_start : span.good_end] == span.good for span in spans)


@given(st.text("ab \n-#`", max_size=80), st.text("ab \n-#`", max_size=80), st.integers(1, 40))
def test_parts_join_to_both_texts_with_exact_spans(bad: str, good: str, most: int) -> None:
    found = split_pair(pair_of(bad, good), lambda part: len(part.bad) + len(part.good) <= most)
    assert "".join(part.bad for part in found) == bad
    assert "".join(part.good for part in found) == good
    assert all(restore_good(part.bad, part.spans) == part.good for part in found)


@given(st.text("ab \n-#`", max_size=80), st.integers(1, 40))
def test_chunks_join_to_the_text(text: str, most: int) -> None:
    assert "".join(split_text(text, "markdown", lambda piece: len(piece) <= most)) == text


def test_parts_cut_between_blocks_and_never_inside_code() -> None:
    found = split_pair(pair_of(BAD, GOOD), lambda part: len(part.good) <= 40)
    assert [part.id for part in found] == [f"p#{number}" for number in range(len(found))]
    assert len(found) > 2
    assert sum("```sh\nrun it\n\nagain\n```" in part.good for part in found) == 1


def test_a_pair_that_fits_stays_whole() -> None:
    pair = pair_of(BAD, GOOD)
    assert split_pair(pair, lambda part: True) == [pair]


def test_records_bring_their_spans(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "good_start": 0, "good_end": 3, "bad": "teh", "good": "the"}
    row = {"id": "a", "bad": "teh end", "good": "the end", "split": "test", "doc_id": "x.rst", "format": "rst"}
    path = written(tmp_path, {**row, "spans": [{**span, "label": "spelling.typo", "family": "spelling"}]})
    (pair,) = read_pairs(path)
    assert (pair.spans[0].label, pair.format, pair.split, pair.group) == ("spelling.typo", "rst", "test", "x.rst")
    assert pair.labels == ("spelling.typo",)
    assert list(read_pairs(path, split="train")) == []


def test_mined_edits_become_spans(tmp_path: Path) -> None:
    edit = {"bad_start": 4, "bad_end": 4, "bad": "", "good": "good ", "category": "grammar"}
    (pair,) = read_pairs(written(tmp_path, {"bad": "the end", "good": "the good end", "edits": [edit], "format": "md"}))
    assert pair.spans[0][:6] == (4, 4, 4, 9, "", "good ")
    assert (pair.labels, pair.id, pair.format) == (("grammar",), "1", "markdown")


def test_columns_of_other_names_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"wrong": "a b", "right": "a c", "where": "Top"}).encode()))
    (pair,) = read_pairs(path, Fields("wrong", "right", "where"))
    assert (pair.bad, pair.good, pair.context) == ("a b", "a c", "Top")


def test_coedit_from_a_local_folder_in_the_hubs_layout(tmp_path: Path) -> None:
    rows = [
        {"_id": "1", "task": "gec", "src": "Fix it: a apple", "tgt": "an apple"},
        {"_id": "2", "task": "clarity", "src": "x", "tgt": "y"},
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (pair,) = read_hub_pairs(str(tmp_path), "train", Fields(task="gec"))
    assert (pair.id, pair.context, pair.format) == ("1", "Task: gec", "text")
    with pytest.raises(UserError, match="no split 'dev'"):
        list(read_hub_pairs(str(tmp_path), "dev"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"good": "a"}, r':1: field "bad" is missing'),
        ({"bad": 3, "good": "a"}, r':1: field "bad" is not a string'),
        ([1], ":1: not a JSON object"),
        ({"bad": "a", "good": "b", "spans": []}, ":1: its spans do not turn bad into good"),
        ({"bad": "a", "good": "b", "spans": [{"start": 0}]}, ":1: a span without"),
    ],
)
def test_what_is_no_pair_is_named_by_file_and_line(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(read_pairs(written(tmp_path, row)))


def test_a_file_that_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{")
    for name, said in [("a.jsonl", ":1: not JSON"), ("b.jsonl", "No such file"), ("a.csv", "cannot tell its format")]:
        with pytest.raises(UserError, match=said):
            list(read_pairs(tmp_path / name))
