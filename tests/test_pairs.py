"""Pairs from records and from other data: their spans are exact, and their parts join to the whole texts."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degraders.dataset import pairs
from degraders.dataset.jsonl import MAX_LINE
from degraders.dataset.pairs import Fields, Pair, align_spans, read_hub_pairs, read_pairs
from degraders.dataset.selection import select_pairs
from degraders.edits import restore
from degraders.errors import UserError
from fixer.windows import split_pair, split_text

pytestmark = pytest.mark.fixer

GOOD = "# Title\n\nOne two three.\n\n- first item\n- second item\n\n```sh\nrun it\n\nagain\n```\n\nThe end.\n"
SPAN = {"start": 0, "end": 1, "good_start": 0, "good_end": 1, "bad": "a", "good": "b"}
BAD = GOOD.replace("two", "tow").replace("second ", "").replace("The end", "The the end")


def pair_of(bad: str, good: str) -> Pair:
    return Pair("p", "", "markdown", bad, good, align_spans(bad, good))


def write_rows(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@given(st.text("ab \n-#`", max_size=60), st.text("ab \n-#`", max_size=60))
def test_aligned_spans_turn_bad_into_good(bad: str, good: str) -> None:
    spans = align_spans(bad, good)
    assert restore(bad, [span.repair for span in spans]) == good
    assert all(good[span.good_start : span.good_end] == span.good for span in spans)


@given(st.text("ab \n-#`", max_size=80), st.text("ab \n-#`", max_size=80), st.integers(1, 40))
def test_parts_join_to_both_texts_with_exact_spans(bad: str, good: str, most: int) -> None:
    parts = split_pair(pair_of(bad, good), lambda part: len(part.bad) + len(part.good) <= most)
    assert "".join(part.bad for part in parts) == bad
    assert "".join(part.good for part in parts) == good
    assert all(restore(part.bad, [span.repair for span in part.spans]) == part.good for part in parts)


@given(st.text("ab \n-#`", max_size=80), st.integers(1, 40))
def test_chunks_join_to_the_text(text: str, most: int) -> None:
    assert "".join(split_text(text, "markdown", lambda piece: len(piece) <= most)) == text


def test_a_pair_is_cut_between_blocks_and_never_inside_code() -> None:
    parts = split_pair(pair_of(BAD, GOOD), lambda part: len(part.good) <= 40)
    assert [part.id for part in parts] == [f"p#{number}" for number in range(len(parts))]
    assert len(parts) > 2
    assert sum("```sh\nrun it\n\nagain\n```" in part.good for part in parts) == 1


def test_a_pair_that_fits_stays_whole() -> None:
    pair = pair_of(BAD, GOOD)
    assert split_pair(pair, lambda part: True) == [pair]


def test_records_keep_their_spans(tmp_path: Path) -> None:
    span = {"start": 0, "end": 3, "good_start": 0, "good_end": 3, "bad": "teh", "good": "the"}
    row = {"id": "a", "bad": "teh end", "good": "the end", "split": "test", "doc_id": "x.rst", "format": "rst"}
    path = write_rows(tmp_path, {**row, "spans": [{**span, "label": "spelling.typo", "family": "spelling"}]})
    (pair,) = read_pairs(path)
    assert (pair.spans[0].label, pair.format, pair.split, pair.group) == ("spelling.typo", "rst", "test", "x.rst")
    assert pair.labels == ("spelling.typo",)
    assert list(read_pairs(path, split="train")) == []


def test_mined_edits_become_spans(tmp_path: Path) -> None:
    edit = {"bad_start": 4, "bad_end": 4, "bad": "", "good": "good ", "category": "grammar"}
    (pair,) = read_pairs(
        write_rows(tmp_path, {"bad": "the end", "good": "the good end", "edits": [edit], "format": "md"})
    )
    assert pair.spans[0][:6] == (4, 4, 4, 9, "", "good ")
    assert (pair.labels, pair.id, pair.format) == (("grammar",), "1", "markdown")


def test_fields_of_other_names_are_read_from_gzip(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"wrong": "a b", "right": "a c", "where": "Top"}).encode()))
    (pair,) = read_pairs(path, Fields("wrong", "right", "where"))
    assert (pair.bad, pair.good, pair.context) == ("a b", "a c", "Top")


def test_coedit_is_read_from_a_local_folder_in_the_layout_of_the_hub(tmp_path: Path) -> None:
    rows = [
        {"_id": "1", "task": "gec", "src": "Fix it: a apple", "tgt": "an apple"},
        {"_id": "2", "task": "clarity", "src": "x", "tgt": "y"},
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (pair,) = read_hub_pairs(str(tmp_path), "train", Fields(task="gec"))
    assert (pair.id, pair.instruction, pair.bad, pair.context) == ("1", "Fix it", "a apple", "")
    assert (pair.category, pair.format, [span.repair for span in pair.spans]) == ("gec", "text", [(0, 1, "an")])
    with pytest.raises(UserError, match="no split 'dev'"):
        list(read_hub_pairs(str(tmp_path), "dev"))


@pytest.mark.parametrize(
    ("source", "good", "instruction", "bad"),
    [
        ("Fix grammar in this sentence: It are so.", "It is so.", "Fix grammar in this sentence", "It are so."),
        ("Clarify, rewrite this: Note: it are so.", "Note: it is so.", "Clarify, rewrite this", "Note: it are so."),
        ("Paraphrase this: A b.", "Something else, which is longer.", "Paraphrase this", "A b."),
        ("Fix grammar:\nIt are so.\n", "It is so.\n", "Fix grammar", "It are so.\n"),
        ("Note: it are so.", "Note: it is so.", "", "Note: it are so."),
        ("Hello Sam: are you their?", "Hi Sam: are you there?", "", "Hello Sam: are you their?"),
        ("It are so.", "It is so.", "", "It are so."),
        ("Run `a: b` so", "Run `a: b` now", "", "Run `a: b` so"),
    ],
)
def test_the_instruction_of_coedit_is_no_part_of_the_bad_text(
    tmp_path: Path, source: str, good: str, instruction: str, bad: str
) -> None:
    (pair,) = read_pairs(write_rows(tmp_path, {"task": "gec", "src": source, "tgt": good}))
    assert (pair.instruction, pair.bad, pair.good) == (instruction, bad, good)
    assert pair.context == ("" if instruction else "Task: gec")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"good": "a"}, r':1: field "bad" is missing'),
        ({"bad": 3, "good": "a"}, r':1: field "bad" is not a string'),
        ([1], ":1: not a JSON object"),
        ({"bad": "a", "good": "b", "spans": []}, ":1: its spans do not turn bad into good"),
        ({"bad": "a", "good": "b", "spans": [{"start": 0}]}, ":1: a span without"),
        ({"bad": "a", "good": "b", "spans": [{**SPAN, "start": "x"}]}, ":1: its spans are malformed"),
        ({"bad": "a", "good": "b", "spans": [{**SPAN, "good": 1}]}, ":1: its spans are malformed"),
        ({"bad": "a", "good": "b", "spans": 5}, ":1: its spans are malformed"),
        ({"bad": "a", "good": "b", "edits": "all"}, ":1: its spans are malformed"),
        ({"bad": "a", "good": "b", "labels": 5}, ':1: field "labels" is not a list'),
        ({"bad": "a", "good": "b", "labels": [1, None]}, ':1: field "labels" is not a list'),
        ({"bad": "a", "good": "b", "spans": [{**SPAN, "bad": 5}]}, ":1: span at 0: its texts are not"),
        ({"bad": "a", "good": "b", "spans": [{**SPAN, "good_start": 7}]}, ":1: span at 0: its texts are not"),
    ],
)
def test_a_row_without_a_pair_is_reported_by_file_and_line(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(read_pairs(write_rows(tmp_path, row)))


def test_pairs_that_are_too_long_are_counted_by_their_texts(tmp_path: Path) -> None:
    rows = [(1, {"bad": "x" * MAX_LINE, "good": "y"}), (2, {"bad": "a", "good": "b"})]
    skipped: Counter[str] = Counter()
    (pair,) = pairs._pairs_of_rows("data", rows, Fields(), skipped)
    assert pair.id == "2" and skipped.total() == 1
    selection = select_pairs([pair], seed=1, share=0, limit=None, validation_limit=None, skipped=skipped)
    assert selection.read == 2 and selection.unused == skipped
    with pytest.raises(UserError, match="all its pairs were skipped: 1 over 4,000,000 bytes"):
        select_pairs([], seed=1, share=0, limit=None, validation_limit=None, skipped=skipped)


def test_bad_and_good_must_be_two_fields() -> None:
    with pytest.raises(UserError, match="name two fields"):
        Fields("text", "text")


def test_a_file_without_pairs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{")
    (tmp_path / "a.parquet").write_text("{")
    for name, message in [
        ("a.jsonl", ":1: not JSON"),
        ("b.jsonl", "No such file"),
        ("a.parquet", "not a sound Parquet file"),
        ("a.csv", "cannot tell its format"),
    ]:
        with pytest.raises(UserError, match=message):
            list(read_pairs(tmp_path / name))
