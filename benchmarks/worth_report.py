"""What bench_worth.py writes down after every run: worth.md, its charts, and worth.json with all figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import worth_tables

from degraders import __version__
from degraders.files import sha256_file, write_text

PARTS = {"tuning": "Owners to tune on", "held_out": "Owners held out", "last": "Owners held out, in the last run"}
"""The parts of the real pairs, and their titles."""
ASKED = ("figures", "by_label", "by_recoverable", "by_category", "guard")


def write(
    work: Path,
    options: Mapping[str, Any],
    digests: Mapping[str, str],
    runs: Sequence[worth_tables.Run],
    ours: Mapping[str, str],
) -> None:
    """The tables and the chart of each part, and all figures with the options and digests of their runs; `ours` are
    the options of data_prep.py for each source that is made by it."""
    sections = [f"# What pairs are worth\n\n{told(options, digests)}"]
    against = next(iter(ours), "")
    named = [run for run in runs if not run.ablation]
    for part, title in PARTS.items():
        if found := worth_tables.rows(named, part, against):
            chart = f"worth.{part}.png"
            found.sort(key=lambda row: -(row.figures["repair_f05"] or (0.0,))[0])
            worth_tables.draw(work / chart, found, title, ours)
            table = worth_tables.main_table(found, against)
            sections += [f"## {title}", f"![F0.5 of each source]({chart})", table, *worth_tables.breakdowns(found)]
    if len(named) < len(runs):
        base = options["vary"]
        found = worth_tables.rows([run for run in runs if run.ablation or run.source == base], "tuning", base)
        changes = "\n".join("- `{}`: `{}`".format(*str(one).split("=", 1)) for one in options["variant"])
        sections += [f"## One change at a time, of {base}", changes, worth_tables.main_table(found, base)]
        sections.append(worth_tables.kind_table([(row.source, row.labels) for row in found], "recall"))
    records = [recorded(work, run) for run in runs]
    made = [f"- `{name}`: `data_prep.py {told}`" for name, told in ours.items()]
    made.append(f"- all that learn: `train_qlora.py --validation_share 0 {options['recipe']}`")
    sections += ["## Runs", "\n".join(made), runs_table(records)]
    write_text(work / "worth.md", "\n\n".join(sections) + "\n")
    content = {
        "tool": "bench_worth.py",
        "version": __version__,
        "options": {name: plain(value) for name, value in options.items()},
        "digests": digests,
        "runs": records,
    }
    write_text(work / "worth.json", json.dumps(content, indent=1) + "\n")


def told(options: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """What was done, in a few sentences."""
    kinds = ", ".join(options["recoverable"])
    last = ", in the last run all that are left," if options["last"] else ""
    return (
        f"{Path(options['model']).name} in 4 bits, {options['target_tokens']:,} target tokens a run, "
        f"`{options['recipe']}`, seeds {', '.join(map(str, options['seeds']))}; ours made with `{options['made']}`. "
        f"Asked: {options['texts']} real pairs ({kinds}){last} and {options['clean']} texts to be left alone, up to "
        f"{options['max_chars']:,} characters each, projects by turns; answers guarded, those of the tools as they "
        "are. Documents " + ", ".join(f"{name} {found[:12]}" for name, found in digests.items()) + "."
    )


def recorded(work: Path, run: worth_tables.Run) -> dict[str, Any]:
    """A run with what made it and all of its figures."""
    name = run.source if run.seed is None else f"{run.source}-{run.seed}"
    trained = work / "runs" / name / "adapter" / "train_manifest.json"
    manifest = json.loads(trained.read_text(encoding="utf-8")) if trained.exists() else {}
    pairs = work / "pairs" / f"{name}.jsonl"
    return {
        "source": run.source,
        "seed": run.seed,
        "part": run.part,
        "keep_bias": run.bias,
        "cpu_seconds": {"training": round(run.training, 1), "answering": round(run.answering, 1)},
        "pairs_sha256": sha256_file(pairs) if pairs.exists() else "",
        "training": {
            "options": {key: plain(value) for key, value in manifest.get("options", {}).items()},
            **{key: manifest.get(key, {}) for key in ("results", "rejected", "sha256")},
        },
        "signature": {"errors": run.errors["signature_line"], "clean": run.clean["signature_line"]},
        "errors": {key: run.errors[key] for key in ASKED},
        "beyond": {key: run.beyond[key] for key in ASKED} if run.beyond else None,
        "clean": {key: run.clean[key] for key in ("figures", "guard", "harm")},
    }


def runs_table(records: Sequence[dict[str, Any]]) -> str:
    """Each run by itself, with the digests of what it learned and of what it became, in Markdown."""
    lines = []
    for one in records:
        f05 = worth_tables.figure(one["errors"]["figures"]["model"]["repair_f05"])
        training = one["training"]
        lines.append(
            [
                one["source"],
                "" if one["seed"] is None else str(one["seed"]),
                one["part"],
                "" if one["keep_bias"] is None else f"{one['keep_bias']:g}",
                worth_tables.shown(f05, interval=True),
                training["results"].get("examples", "").partition(" ")[0],
                training["results"].get("tokens", "").partition(" ")[0],
                str(sum(training["rejected"].values())) if training["results"] else "",
                one["pairs_sha256"][:12],
                training["sha256"].get("adapter_model.safetensors", "")[:12],
            ]
        )
    heads = ["pairs of", "seed", "asked", "bias", "F0.5", "examples", "tokens", "rejected"]
    heads += ["pairs SHA-256", "adapter SHA-256"]
    return worth_tables.table(heads, lines)


def plain(value: Any) -> Any:
    """An option's value, of a path its last part alone: where things lie on a machine is nobody's concern."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, Path) or (isinstance(value, str) and "/" in value and Path(value).exists()):
        return Path(value).name
    return value if value is None or isinstance(value, str | float | int) else str(value)
