"""The preview page: one HTML file with records side by side, good and bad, and every error marked.

All text is laid out here, where an offset is a character; the page's script only filters, searches and highlights.
The style sheet draws numbers and signs, so a reader who copies a text copies the text alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from degraders import pages
from degraders.pages import escape, excerpt, family_class, invisible_pattern, order_families, render_text, select_option
from degraders.taxonomy import RECOVERABILITY

TWO_COLUMNS = 7  # errors; a list with at least so many has two columns on a wide screen

_WHITE = re.compile(r"\s+")


@dataclass(frozen=True)
class _Mark:
    """One side of an error: its range in the text, and the text of the other side."""

    number: int
    family: str
    start: int
    end: int
    other: str


@dataclass(frozen=True)
class _Evidence:
    """The range of `bad`, in characters, that holds the right value of error `number`."""

    number: int
    start: int
    end: int


def render_preview(records: Iterable[Mapping[str, Any]], *, title: str, facts: Sequence[tuple[str, str]] = ()) -> str:
    """The whole page for `records`; `facts` are pairs of name and value for its header."""
    cards: list[str] = []
    labels: Counter[tuple[str, str]] = Counter()
    splits: Counter[str] = Counter()
    for number, record in enumerate(records, 1):
        cards.append(_render_card(number, record))
        labels.update((span["family"], span["label"]) for span in record["spans"])
        splits[record["split"]] += 1
    families: Counter[str] = Counter()
    for (family, _), count in labels.items():
        families[family] += count
    values = {
        "title": escape(title),
        "facts": pages.facts_list(facts),
        "families": pages.family_chips(families),
        "errors": str(families.total()),
        "labels": "".join(
            _render_label_group(family, labels) for family in order_families(families) if families[family]
        ),
        "splits": "".join(select_option(split, count) for split, count in sorted(splits.items())),
        "classes": "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in RECOVERABILITY.items()),
        "total": str(len(cards)),
        "cards": "\n".join(cards),
        "hidden_if_cards": " hidden" if cards else "",
    }
    return pages.fill_template("preview.html", values)


# The header


def _render_label_group(family: str, labels: Mapping[tuple[str, str], int]) -> str:
    options = "".join(
        select_option(label, count) for (its_family, label), count in sorted(labels.items()) if its_family == family
    )
    return f'<optgroup label="{escape(family)}">{options}</optgroup>'


# One record


def _render_card(number: int, record: Mapping[str, Any]) -> str:
    identity = " data-identity" if record["good"] == record["bad"] else ""
    return (
        f'<article id="r{number}" data-split="{escape(record["split"])}"{identity}>\n'
        f"{_render_head(record)}\n{_render_texts(record)}\n{_render_errors(record)}</article>"
    )


def _render_head(record: Mapping[str, Any]) -> str:
    names = [*(() if record["id"].startswith(record["doc_id"]) else ("doc_id",)), "format", "split"]
    meta = [
        f'<span class="id">{escape(record["id"])}</span>',
        *(f"<span>{escape(record[name])}</span>" for name in names),
        f"<span>variant {escape(record['variant'])}</span>",
        f'<span title="severity: the share of the text that the errors touch">'
        f"severity {float(record['severity']):.3f}</span>",
    ]
    family_of = {span["label"]: span["family"] for span in record["spans"]}
    chips = [
        f'<span class="label {family_class(family_of.get(label, ""))}">{escape(label)}</span>'
        for label in record["labels"]
    ]
    if record["good"] == record["bad"]:
        chips.append('<span class="same">identity pair: bad = good</span>')
    return (
        f'<h2 dir="auto">{pages.render_trail(record["context"]) or escape(record["doc_id"])}</h2>\n'
        f'<div class="meta">{"".join(meta)}</div>\n<div class="labels">{"".join(chips)}</div>'
    )


def _render_texts(record: Mapping[str, Any]) -> str:
    good, bad, spans = record["good"], record["bad"], record["spans"]
    if good == bad and not spans:
        return f'<div class="texts one"><section><h3>Bad and good</h3>{_render_box(escape(good))}</section></div>'
    bad_marks = [
        _Mark(number=number, family=span["family"], start=span["start"], end=span["end"], other=span["good"])
        for number, span in enumerate(spans, 1)
    ]
    good_marks = [
        _Mark(number=number, family=span["family"], start=span["good_start"], end=span["good_end"], other=span["bad"])
        for number, span in enumerate(spans, 1)
    ]
    evidence = [_Evidence(number, *span["evidence"]) for number, span in enumerate(spans, 1) if span.get("evidence")]
    return (
        f'<div class="texts two">'
        f'<section class="bad"><h3>Bad</h3>{_render_box(_render_marks(bad, bad_marks, evidence))}</section>'
        f'<section class="good"><h3>Good</h3>{_render_box(_render_marks(good, good_marks))}</section></div>'
    )


def _render_box(content: str) -> str:
    return f'<div class="text" dir="auto">{content}</div>'


def _render_marks(text: str, marks: Sequence[_Mark], evidence: Sequence[_Evidence] = ()) -> str:
    """`text` as HTML with its marks, which are in order and do not overlap."""
    parts = []
    at = 0
    for mark in marks:
        parts += [_render_range(text, at, mark.start, evidence), _render_mark(text, mark, evidence)]
        at = mark.end
    parts.append(_render_range(text, at, len(text), evidence))
    return "".join(parts)


def _render_mark(text: str, mark: _Mark, evidence: Sequence[_Evidence]) -> str:
    own = text[mark.start : mark.end]
    kind = " none" if not own else " block" if "\n" in own else ""
    content = _render_range(text, mark.start, mark.end, evidence, invisible_pattern(own, mark.other))
    return f'<mark class="{family_class(mark.family)}{kind}" data-n="{mark.number}">{content}</mark>'


def _render_range(
    text: str, start: int, end: int, evidence: Sequence[_Evidence], signs: re.Pattern[str] | None = None
) -> str:
    """`text[start:end]` as HTML; a piece of evidence carries the numbers of its errors."""
    overlapping = [piece for piece in evidence if piece.start < end and piece.end > start]
    if not overlapping:
        return render_text(text, start, end, signs)
    edges = {start, end}
    for piece in overlapping:
        edges |= {max(start, piece.start), min(end, piece.end)}
    parts = []
    for left, right in pairwise(sorted(edges)):
        numbers = " ".join(str(piece.number) for piece in overlapping if piece.start <= left and piece.end >= right)
        content = render_text(text, left, right, signs)
        parts.append(f'<span class="evidence" data-e="{numbers}">{content}</span>' if numbers else content)
    return "".join(parts)


# The list under the texts


def _render_errors(record: Mapping[str, Any]) -> str:
    items = "\n".join(_render_error(n, span, record["bad"]) for n, span in enumerate(record["spans"], 1))
    many = " many" if len(record["spans"]) >= TWO_COLUMNS else ""
    return f'<ol class="errors{many}">\n{items}\n</ol>' if items else ""


def _render_error(number: int, span: Mapping[str, Any], text: str) -> str:
    family, label, letter = (escape(span[name]) for name in ("family", "label", "recoverable"))
    meaning = escape(RECOVERABILITY.get(span["recoverable"], ""))
    return (
        f'<li class="{family_class(span["family"])}" data-n="{number}" data-f="{family}">'
        f'<button type="button" class="go">{number}</button>'
        f'<span class="label">{label}</span><abbr title="{letter}: {meaning}">{letter}</abbr>'
        f'<p>{excerpt("del", span["bad"], span["good"])}<span class="arrow">→</span>'
        f"{excerpt('ins', span['good'], span['bad'])}{_render_evidence(span, text)}</p></li>"
    )


def _render_evidence(span: Mapping[str, Any], text: str) -> str:
    if not span.get("evidence"):
        return ""
    start, end = span["evidence"]
    more = "…" if end - start > pages.EXCERPT else ""
    quote = escape(_WHITE.sub(" ", text[start : min(end, start + pages.EXCERPT)]))
    return f' <span class="why">evidence: “{quote}{more}”</span>'
