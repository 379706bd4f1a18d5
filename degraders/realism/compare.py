"""Comparison of generated errors with real ones: their distributions side by side, as a table and as a figure.

The errors of both sides are named by `find_fixes` from their two texts alone, so labels of degraders have no influence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rapidfuzz.distance import OSA

from degraders.errors import UserError
from degraders.files import replacing
from degraders.realism.fixes import Fix

Distributions: TypeAlias = dict[str, Counter[str]]

COMPARED = ("category", "kind", "position", "errors a text", "errors per 100 words", "size of an error", "typo")
"""The distributions whose divergences are averaged."""
TEXT_REPAIRABLE = frozenset(
    ("spelling", "grammar", "punctuation", "capitalisation", "white space", "markup", "wording")
)
"""The categories of errors that can be repaired from the text alone."""

_WHITE_SPACE_KINDS = frozenset(
    (
        *(f"markup.emphasis_blank/{detail}" for detail in ("blank_line", "line_break", "indent", "space")),
        "grammar.punctuation/space",
        "code.indentation/layout",
    )
)
_CATEGORY_OF = {
    "spelling": "spelling", "grammar": "grammar", "style": "wording", "markup": "markup", "structure": "content",
    "content": "content", "code": "code", "encoding": "other", "llm": "wording",
    "grammar.punctuation": "punctuation", "grammar.capitalisation": "capitalisation", "markup.link_target": "link",
    "markup.link_syntax": "link", "markup.link_text": "link", "content.identifier_drift": "code",
    "markup.fence_language": "code", "markup.fence_unclosed": "code", "style.term_drift": "spelling",
}  # fmt: skip
"""The category of each problem, or of each family for all its other problems."""
_BIN_LIMITS = {
    "errors a text": (1, 2, 3, 4, 6, 9),
    "errors per 100 words": (0.5, 1, 1.5, 2, 3, 4, 6, 9),
    "size of an error": (1, 2, 3, 6, 10, 20, 40),
}
_TABLE_ROWS, _FIGURE_ROWS = 24, 14


class AnnotatedText(NamedTuple):
    """A bad text and its fixes; `group` is the project or document that it comes from."""

    bad: str
    fixes: Sequence[Fix]
    group: str


def category(fix: Fix) -> str:
    """The broad category of a fix."""
    if fix.kind in _WHITE_SPACE_KINDS:
        return "white space"
    return _CATEGORY_OF.get(fix.problem) or _CATEGORY_OF[fix.problem.partition(".")[0]]


def measure_distributions(texts: Sequence[AnnotatedText]) -> Distributions:
    """The distributions of the errors of some texts: counts by value, for each name in `COMPARED`."""
    distributions: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def count_binned(name: str, value: float) -> None:
        distributions[name][_bin_label(name, value)] += 1

    for bad, fixes, _ in texts:
        words = max(1, len(bad.split()))
        count_binned("errors a text", len(fixes))
        count_binned("errors per 100 words", 100 * len(fixes) / words)
        for fix in fixes:
            distributions["category"][category(fix)] += 1
            distributions["kind"][fix.kind] += 1
            distributions["position"][fix.position] += 1
            count_binned("size of an error", max(1, OSA.distance(fix.bad, fix.good)))
            if category(fix) in ("spelling", "grammar"):
                distributions["typo"][fix.kind] += 1
    return dict(distributions)


def _bin_label(name: str, value: float) -> str:
    """The label of the bin of a value: `3`, `4 to 6`, `over 9`."""
    limits = _BIN_LIMITS[name]
    at = bisect_left(limits, value)
    if at == len(limits):
        return f"over {limits[-1]:g}"
    low = limits[at - 1] if at else 0
    is_whole = name != "errors per 100 words"
    if is_whole and limits[at] - low == 1:
        return f"{limits[at]:g}"
    return f"{low + is_whole:g} to {limits[at]:g}"


def divergence(left: Counter[str], right: Counter[str]) -> float:
    """The Jensen-Shannon divergence of two distributions, base 2: 0 if they are equal, 1 if they share no value.

    Lin 1991, "Divergence Measures Based on the Shannon Entropy".
    """
    if not left or not right:
        return 1.0
    total = 0.0
    for key in left.keys() | right.keys():
        p, q = left[key] / left.total(), right[key] / right.total()
        middle = (p + q) / 2
        total += sum(x * log2(x / middle) / 2 for x in (p, q) if x)
    return max(0.0, total)


def divergences(real: Distributions, generated: Distributions) -> dict[str, float]:
    """The divergence of each distribution, and their mean under `mean`."""
    by_name = {name: divergence(real.get(name, Counter()), generated.get(name, Counter())) for name in COMPARED}
    return {**by_name, "mean": sum(by_name.values()) / len(by_name)}


def comparison_table(real: Distributions, generated: Distributions) -> str:
    """A text with the divergences, and the most frequent values of each distribution in per cent, side by side."""
    lines = [f"{'distribution':<24}{'divergence':>11}"]
    lines += [f"{name:<24}{value:>11.3f}" for name, value in divergences(real, generated).items()]
    for name in COMPARED:
        sides = real.get(name, Counter()), generated.get(name, Counter())
        lines += ["", f"{name:<44}{'real %':>8}{'generated %':>13}"]
        for key in _most_frequent(name, *sides, limit=_TABLE_ROWS):
            real_share, generated_share = (_per_cent(side, key) for side in sides)
            lines.append(f"  {key:<42}{real_share:>8.1f}{generated_share:>13.1f}")
    return "\n".join(lines)


def _per_cent(counts: Counter[str], key: str) -> float:
    return 100 * counts[key] / max(1, counts.total())


def _most_frequent(name: str, real: Counter[str], generated: Counter[str], *, limit: int) -> list[str]:
    """The most frequent values of both sides; all bins, in their order, of a distribution that has bins."""
    if name in _BIN_LIMITS:
        bins = [_bin_label(name, value) for value in _BIN_LIMITS[name]] + [f"over {_BIN_LIMITS[name][-1]:g}"]
        return [key for key in bins if real[key] or generated[key]]
    keys = real.keys() | generated.keys()
    return sorted(keys, key=lambda key: (-_per_cent(real, key) - _per_cent(generated, key), key))[:limit]


def plot_comparison(path: Path, real: Distributions, generated: Distributions) -> None:
    """Write a PNG with a bar chart for each distribution; UserError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("--report draws with matplotlib, which is not installed: pip install matplotlib") from error
    figure = Figure(figsize=(15, 18), layout="constrained")
    FigureCanvasAgg(figure)
    by_name = divergences(real, generated)
    for axes, name in zip(figure.subplots(4, 2).flat, COMPARED, strict=False):
        axes.set_title(f"{name}: divergence {by_name[name]:.3f}", fontsize=10)
        _draw_bars(axes, name, real.get(name, Counter()), generated.get(name, Counter()))
    figure.axes[-1].set_axis_off()
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=80)


def _draw_bars(axes: Any, name: str, real: Counter[str], generated: Counter[str]) -> None:
    keys = _most_frequent(name, real, generated, limit=_FIGURE_ROWS)
    places = range(len(keys))
    for label, counts, shift in (("real", real, -0.2), ("generated", generated, 0.2)):
        heights = [_per_cent(counts, key) for key in keys]
        axes.barh([at + shift for at in places], heights, 0.4, label=label)
    axes.set_yticks(list(places), keys, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("per cent")
    axes.legend(fontsize=8)
