"""The preview page: one HTML file with records side by side, good and bad, and every error marked.

All text is laid out here, where an offset is a character; the page's script only filters, finds and lights up
what stands there. Numbers and signs are drawn by the style sheet: what a reader copies is the text itself.
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

MANY = 7  # from so many errors on, the list has two columns where the screen is wide

_WHITE = re.compile(r"\s+")


@dataclass(frozen=True)
class _Mark:
    """One side of an error: `text[start:end]` is what stands there, `other` what stands on the other side."""

    number: int
    family: str
    start: int
    end: int
    other: str


@dataclass(frozen=True)
class _Evidence:
    """Where, in characters of `bad`, the right value of error `number` stands."""

    number: int
    start: int
    end: int


def render_preview(records: Iterable[Mapping[str, Any]], *, title: str, facts: Sequence[tuple[str, str]] = ()) -> str:
    """Return the whole page for `records`; `facts` are name and value pairs for its header."""
    cards: list[str] = []
    labels: Counter[tuple[str, str]] = Counter()
    splits: Counter[str] = Counter()
    for number, record in enumerate(records, 1):
        cards.append(_card(number, record))
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
        "labels": "".join(_label_group(family, labels) for family in order_families(families) if families[family]),
        "splits": "".join(select_option(split, count) for split, count in sorted(splits.items())),
        "classes": "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in RECOVERABILITY.items()),
        "total": str(len(cards)),
        "cards": "\n".join(cards),
        "some": " hidden" if cards else "",
    }
    return pages.fill_template("preview.html", values)


# The header


def _label_group(family: str, labels: Mapping[tuple[str, str], int]) -> str:
    options = "".join(select_option(label, count) for (its, label), count in sorted(labels.items()) if its == family)
    return f'<optgroup label="{escape(family)}">{options}</optgroup>'


# One record


def _card(number: int, record: Mapping[str, Any]) -> str:
    identity = " data-identity" if record["good"] == record["bad"] else ""
    return (
        f'<article id="r{number}" data-split="{escape(record["split"])}"{identity}>\n'
        f"{_card_head(record)}\n{_texts(record)}\n{_errors(record)}</article>"
    )


def _card_head(record: Mapping[str, Any]) -> str:
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


def _texts(record: Mapping[str, Any]) -> str:
    good, bad, spans = record["good"], record["bad"], record["spans"]
    if good == bad and not spans:
        return f'<div class="texts one"><section><h3>Bad and good</h3>{_text_box(escape(good))}</section></div>'
    numbered = list(enumerate(spans, 1))
    bad_marks = [_Mark(n, s["family"], s["start"], s["end"], s["good"]) for n, s in numbered]
    good_marks = [_Mark(n, s["family"], s["good_start"], s["good_end"], s["bad"]) for n, s in numbered]
    evidence = [_Evidence(n, *s["evidence"]) for n, s in numbered if s.get("evidence")]
    return (
        f'<div class="texts two">'
        f'<section class="bad"><h3>Bad</h3>{_text_box(_marked(bad, bad_marks, evidence))}</section>'
        f'<section class="good"><h3>Good</h3>{_text_box(_marked(good, good_marks))}</section></div>'
    )


def _text_box(content: str) -> str:
    return f'<div class="text" dir="auto">{content}</div>'


def _marked(text: str, marks: Sequence[_Mark], evidence: Sequence[_Evidence] = ()) -> str:
    """Return `text` as HTML with its marks, which are ordered and disjoint."""
    parts = []
    at = 0
    for mark in marks:
        parts += [_stretch(text, at, mark.start, evidence), _mark(text, mark, evidence)]
        at = mark.end
    parts.append(_stretch(text, at, len(text), evidence))
    return "".join(parts)


def _mark(text: str, mark: _Mark, evidence: Sequence[_Evidence]) -> str:
    own = text[mark.start : mark.end]
    kind = " none" if not own else " block" if "\n" in own else ""
    content = _stretch(text, mark.start, mark.end, evidence, invisible_pattern(own, mark.other))
    return f'<mark class="{family_class(mark.family)}{kind}" data-n="{mark.number}">{content}</mark>'


def _stretch(
    text: str, start: int, end: int, evidence: Sequence[_Evidence], draw: re.Pattern[str] | None = None
) -> str:
    """Return `text[start:end]` as HTML; what is evidence in it names the numbers of its errors."""
    inside = [one for one in evidence if one.start < end and one.end > start]
    if not inside:
        return render_text(text, start, end, draw)
    cuts = {start, end}
    for one in inside:
        cuts |= {max(start, one.start), min(end, one.end)}
    edges = sorted(cuts)
    parts = []
    for left, right in pairwise(edges):
        numbers = " ".join(str(one.number) for one in inside if one.start <= left and one.end >= right)
        content = render_text(text, left, right, draw)
        parts.append(f'<span class="evidence" data-e="{numbers}">{content}</span>' if numbers else content)
    return "".join(parts)


# The list under the texts


def _errors(record: Mapping[str, Any]) -> str:
    items = "\n".join(_error(n, span, record["bad"]) for n, span in enumerate(record["spans"], 1))
    many = " many" if len(record["spans"]) >= MANY else ""
    return f'<ol class="errors{many}">\n{items}\n</ol>' if items else ""


def _error(number: int, span: Mapping[str, Any], text: str) -> str:
    family, label, letter = (escape(span[name]) for name in ("family", "label", "recoverable"))
    meaning = escape(RECOVERABILITY.get(span["recoverable"], ""))
    return (
        f'<li class="{family_class(span["family"])}" data-n="{number}" data-f="{family}">'
        f'<button type="button" class="go">{number}</button>'
        f'<span class="label">{label}</span><abbr title="{letter}: {meaning}">{letter}</abbr>'
        f'<p>{excerpt("del", span["bad"], span["good"])}<span class="arrow">→</span>'
        f"{excerpt('ins', span['good'], span['bad'])}{_evidence_note(span, text)}</p></li>"
    )


def _evidence_note(span: Mapping[str, Any], text: str) -> str:
    if not span.get("evidence"):
        return ""
    start, end = span["evidence"]
    more = "…" if end - start > pages.EXCERPT else ""
    quote = escape(_WHITE.sub(" ", text[start : min(end, start + pages.EXCERPT)]))
    return f' <span class="why">evidence: “{quote}{more}”</span>'
