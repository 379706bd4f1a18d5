"""Sources of pairs: this project's degraders, noise of other libraries, real pairs; contenders without training."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from typing import NamedTuple

import data_prep
import eval as eval_script
import train_qlora

OURS = {"realistic": (), "uniform": (), "surface": ("--degraders", "spelling", "grammar")}
"""The sources that data_prep.py makes, with their options beside those that all of them share."""
NOISE = ("nlpaug-keyboard", "nlpaug-spelling", "textattack")
REAL = "real"
UNTRAINED = ("none", "copy")
TOOLS = ("codespell", "languagetool", "harper")
SOURCES = ("realistic", *NOISE[:1], *UNTRAINED, *TOOLS, "uniform", "surface", *NOISE[1:], REAL)


@dataclass(frozen=True)
class PairSource:
    """A source of pairs, or a contender that needs none, with options of the three scripts beside the shared ones.

    A variant is a source with other options; `base` names the source that it varies.
    """

    name: str
    data_options: tuple[str, ...] = ()
    train_options: tuple[str, ...] = ()
    eval_options: tuple[str, ...] = ()
    base: str = ""

    def __str__(self) -> str:
        return f"{self.name}={shlex.join([*self.data_options, *self.train_options, *self.eval_options])}"

    @property
    def trained(self) -> bool:
        return bool(self.base) or self.name in (*OURS, *NOISE, REAL)


class Task(NamedTuple):
    """A source with a seed; the seed is None where nothing is drawn."""

    source: PairSource
    seed: int | None

    @property
    def name(self) -> str:
        return self.source.name if self.seed is None else f"{self.source.name}-{self.seed}"

    @property
    def learner(self) -> Task:
        """The task whose adapter answers: a variant with only other options of eval.py uses the adapter of its base."""
        source = self.source
        if not source.base or (source.data_options, source.train_options) != (OURS[source.base], ()):
            return self
        return Task(PairSource(source.base, OURS[source.base]), self.seed)


def parse_variant(text: str) -> PairSource:
    """`NAME='options'`: each option belongs to the first of data_prep.py, train_qlora.py and eval.py that knows it."""
    name, equals, rest = text.partition("=")
    if not equals or not re.fullmatch(r"[\w.]+", name) or name in SOURCES:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME='--option value ...' with a new name")
    groups: list[list[str]] = []
    for word in shlex.split(rest):
        if word.startswith("--") or not groups:
            groups.append([])
        groups[-1].append(word)
    parsers = [script.build_parser() for script in (data_prep, train_qlora, eval_script)]
    options: tuple[list[str], list[str], list[str]] = ([], [], [])
    for group in groups:
        matches = [not parser.parse_known_args(group)[1] for parser in parsers]
        if True not in matches:
            raise argparse.ArgumentTypeError(f"{name}: none of the scripts has {shlex.join(group)}")
        options[matches.index(True)].extend(group)
    data, train, evaluation = map(tuple, options)
    return PairSource(name, data, train, evaluation, base="realistic")
