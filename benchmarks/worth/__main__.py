"""Compare sources of pairs: train fixers on pairs of this project and on noise of other libraries, and evaluate them on
real errors.

    python -m benchmarks.worth --docs DOCS --real real_pairs.jsonl --model google/gemma-3-270m --work worth

For each source and each seed, pairs of the same good documents, with `--target_tokens` target tokens, train the same
model in 4 bits with the same options, one epoch. Then eval.py measures the fixer on real pairs (`bad`, `good`, `edits`,
`repo`, `recoverable`) and on real texts without errors. The sources and other contenders:

- `realistic`: data_prep.py with `--data_options` and a profile calibrated on the owners for tuning; `uniform`: all
  degraders with equal weights; `surface`: spelling and grammar only (punctuation and capitals included);
- `nlpaug-keyboard`, `nlpaug-spelling`, `textattack`: typos of these libraries in the prose of the same texts, as many
  in each text as `realistic` has errors there; textattack needs an environment of its own (`--textattack PYTHON`);
- `real`: the real pairs of the owners for tuning, evaluated on the other owners only;
- `none`: the model without training; `copy`: the input text;
- `codespell`, `languagetool`, `harper`: correction tools. Their first suggestions are applied without review, those of
  the last two outside code, addresses and markup (`--tools PYTHON`: an environment with
  benchmarks/requirements-tools.txt).

The real pairs are divided by owner into two halves. The first half is for tuning: `--keep_bias` is chosen on it, for
each source with its first seed. `--held_out` also evaluates on the other half, and on some of its pairs whose repair
needs more than the text. `--last` evaluates on all remaining texts of the held-out owners: use it once, when nothing
will be changed any more. A variant, `--variant 'edits=--train_target_format edits'`, is the source that `--vary` names
with other options of data_prep.py, train_qlora.py or eval.py; it is evaluated on the tuning half only.

Finished steps do not run again. After an interruption, run the same command again to continue; a command with more
sources, seeds or variants adds to the results. WORK/worth.md, .json and .png are updated after every run.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import cli
from benchmarks.worth.options import Options, build_parser
from benchmarks.worth.run import run_benchmark


def main(argv: Sequence[str] | None = None) -> int:
    return cli.run_script(
        build_parser(__doc__),
        argv,
        Options,
        run_benchmark,
        lambda options: f"run the same command again to continue in {options.work}",
    )


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM):  # under nohup, too, so that no script keeps running
        signal.signal(ending, signal.default_int_handler)
    sys.exit(main())
