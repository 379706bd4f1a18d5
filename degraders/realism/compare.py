"""How far made errors are from real ones: their distributions side by side, as a table and as a figure.

Both sides are read by `classify` from their two texts alone, so no label of a degrader helps or harms.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rapidfuzz.distance import OSA

from degraders.errors import UserError
from degraders.realism.fixes import Fix

Distributions: TypeAlias = dict[str, Counter[str]]


class AnnotatedText(NamedTuple):
    """A bad text and its fixes; `group` is the project or document that it comes from."""

    bad: str
    fixes: Sequence[Fix]
    group: str


COMPARED = ("category", "kind", "position", "errors a text", "errors per 100 words", "size of an error", "typo")
"""The distributions whose distances are averaged."""

_WHITE = frozenset(f"markup.emphasis_blank/{detail}" for detail in ("blank_line", "line_break", "indent", "space")) | {
    "grammar.punctuation/space",
    "code.indentation/layout",
}
_CATEGORIES = {
    "spelling": "spelling", "grammar": "grammar", "style": "wording", "markup": "markup", "structure": "content",
    "content": "content", "code": "code", "encoding": "other", "llm": "wording",
    "grammar.punctuation": "punctuation", "grammar.capitalisation": "capitalisation", "markup.link_target": "link",
    "markup.link_syntax": "link", "markup.link_text": "link", "content.identifier_drift": "code",
    "markup.fence_language": "code", "markup.fence_unclosed": "code", "style.term_drift": "spelling",
}  # fmt: skip
TEXT_REPAIRABLE = frozenset(
    ("spelling", "grammar", "punctuation", "capitalisation", "white space", "markup", "wording")
)
"""The categories whose errors a reader of the text alone can mend."""

_EDGES = {
    "errors a text": (1, 2, 3, 4, 6, 9),
    "errors per 100 words": (0.5, 1, 1.5, 2, 3, 4, 6, 9),
    "size of an error": (1, 2, 3, 6, 10, 20, 40),
}


def category(fix: Fix) -> str:
    """The broad category of a fix."""
    if fix.kind in _WHITE:
        return "white space"
    return _CATEGORIES.get(fix.problem) or _CATEGORIES[fix.problem.partition(".")[0]]


def measure_distributions(texts: Sequence[AnnotatedText]) -> Distributions:
    """The distributions of some texts' errors."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for bad, fixes, _ in texts:
        words = max(1, len(bad.split()))
        found["errors a text"][_bin("errors a text", len(fixes))] += 1
        found["errors per 100 words"][_bin("errors per 100 words", 100 * len(fixes) / words)] += 1
        for fix in fixes:
            kind = category(fix)
            found["category"][kind] += 1
            found["kind"][fix.kind] += 1
            found["position"][fix.position] += 1
            found["size of an error"][_bin("size of an error", max(1, OSA.distance(fix.bad, fix.good)))] += 1
            if kind in ("spelling", "grammar"):
                found["typo"][fix.kind] += 1
    return dict(found)


def _bin(name: str, value: float) -> str:
    edges = _EDGES[name]
    at = bisect_left(edges, value)
    if at == len(edges):
        return f"over {edges[-1]:g}"
    low = edges[at - 1] if at else 0
    whole = name != "errors per 100 words"
    if whole and edges[at] - low == 1:
        return f"{edges[at]:g}"
    return f"{low + whole:g} to {edges[at]:g}"


def distance(one: Counter[str], other: Counter[str]) -> float:
    """The Jensen-Shannon divergence of two distributions, base 2: 0 for the same, 1 for nothing in common."""
    if not one or not other:
        return 1.0
    total = 0.0
    for key in one.keys() | other.keys():
        p, q = one[key] / one.total(), other[key] / other.total()
        middle = (p + q) / 2
        total += sum(x * log2(x / middle) / 2 for x in (p, q) if x)
    return max(0.0, total)


def distances(real: Distributions, made: Distributions) -> dict[str, float]:
    """The distance of each distribution, and their mean."""
    found = {name: distance(real.get(name, Counter()), made.get(name, Counter())) for name in COMPARED}
    return {**found, "mean": sum(found.values()) / len(found)}


def comparison_table(real: Distributions, made: Distributions) -> str:
    """Real and made side by side: the distances, and the commonest entries of each distribution in per cent."""
    apart = distances(real, made)
    lines = [f"{'distribution':<24}{'distance':>9}"]
    lines += [f"{name:<24}{value:>9.3f}" for name, value in apart.items()]
    for name in COMPARED:
        lines += ["", f"{name:<44}{'real %':>8}{'made %':>8}"]
        for key in _commonest(name, real[name], made.get(name, Counter())):
            shares = [100 * each[key] / max(1, each.total()) for each in (real[name], made.get(name, Counter()))]
            lines.append(f"  {key:<42}{shares[0]:>8.1f}{shares[1]:>8.1f}")
    return "\n".join(lines)


def _commonest(name: str, real: Counter[str], made: Counter[str], most: int = 24) -> list[str]:
    if name in _EDGES:
        bins = [_bin(name, edge) for edge in _EDGES[name]] + [f"over {_EDGES[name][-1]:g}"]
        return [key for key in bins if real[key] or made[key]]
    keys = real.keys() | made.keys()
    shares = {key: real[key] / max(1, real.total()) + made[key] / max(1, made.total()) for key in keys}
    return sorted(keys, key=lambda key: (-shares[key], key))[:most]


def plot_comparison(path: Path, real: Distributions, made: Distributions) -> None:
    """The figure: a panel of bars for each distribution, written whole to a PNG; UserError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("--report draws with matplotlib, which is not installed: pip install matplotlib") from error
    figure = Figure(figsize=(15, 18), layout="constrained")
    FigureCanvasAgg(figure)
    apart = distances(real, made)
    for panel, name in zip(figure.subplots(4, 2).flat, COMPARED, strict=False):
        _panel(panel, name, real[name], made.get(name, Counter()), apart)
    figure.axes[-1].set_axis_off()
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png", dpi=80)
    partial.replace(path)


def _panel(axes: Any, name: str, real: Counter[str], made: Counter[str], apart: Mapping[str, float]) -> None:
    keys = _commonest(name, real, made, most=14)
    heights = [[100 * each[key] / max(1, each.total()) for key in keys] for each in (real, made)]
    places = range(len(keys))
    axes.barh([at - 0.2 for at in places], heights[0], 0.4, label="real")
    axes.barh([at + 0.2 for at in places], heights[1], 0.4, label="made")
    axes.set_yticks(list(places), keys, fontsize=8)
    axes.invert_yaxis()
    axes.set_title(f"{name}: distance {apart[name]:.3f}", fontsize=10)
    axes.set_xlabel("per cent")
    axes.legend(fontsize=8)
