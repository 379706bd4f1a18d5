"""The report of the benchmark, written after every run: worth.md, its charts, and worth.json with all figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.worth import tables
from benchmarks.worth.options import Options
from benchmarks.worth.tables import Result
from benchmarks.worth.texts import HELD_OUT, LAST, TUNING
from degraders import __version__
from degraders.files import sha256_file, write_text

PART_TITLES = {TUNING: "Owners for tuning", HELD_OUT: "Held-out owners", LAST: "Held-out owners, last run"}
"""The parts of the real pairs, and their titles."""
SUMMARY_KEYS = ("figures", "by_label", "by_recoverable", "by_category", "guard")


def write_report(
    work: Path,
    options: Options,
    digests: Mapping[str, str],
    results: Sequence[Result],
    commands: Mapping[str, str],
) -> None:
    """Write the tables and the chart of each part, and all figures with the options and digests of their runs.

    `commands` has the options of data_prep.py for each source that is made by it; its first one is the reference.
    """
    sections = [f"# What pairs are worth\n\n{settings_text(options, digests)}"]
    reference = next(iter(commands), "")
    sources = [result for result in results if not result.variant]
    for part, title in PART_TITLES.items():
        if rows := tables.rows(sources, part, reference):
            chart = f"worth.{part}.png"
            rows.sort(key=lambda row: -(row.figures["repair_f05"] or (0.0,))[0])
            tables.draw_chart(work / chart, rows, title, commands)
            main = tables.main_table(rows, reference)
            sections += [f"## {title}", f"![F0.5 of each source]({chart})", main, *tables.breakdown_tables(rows)]
    if len(sources) < len(results):
        base = options.vary
        compared = [result for result in results if result.variant or result.source == base]
        rows = tables.rows(compared, TUNING, base)
        changes = "\n".join("- `{}`: `{}`".format(*str(variant).split("=", 1)) for variant in options.variant)
        sections += [f"## Variants of {base}, one change each", changes, tables.main_table(rows, base)]
        sections.append(tables.kind_table([(row.source, row.categories) for row in rows], "recall"))
    records = [run_record(work, result) for result in results]
    lines = [f"- `{name}`: `data_prep.py {command}`" for name, command in commands.items()]
    lines.append(f"- all training runs: `train_qlora.py --validation_share 0 {options.train_options}`")
    sections += ["## Runs", "\n".join(lines), runs_table(records)]
    write_text(work / "worth.md", "\n\n".join(sections) + "\n")
    content = {
        "tool": "benchmarks.worth",
        "version": __version__,
        "options": {field.name: portable(getattr(options, field.name)) for field in fields(options)},
        "digests": digests,
        "runs": records,
    }
    write_text(work / "worth.json", json.dumps(content, indent=1) + "\n")


def settings_text(options: Options, digests: Mapping[str, str]) -> str:
    """The settings of the benchmark, in a few sentences."""
    kinds = ", ".join(options.recoverable)
    last = " (in the last run all remaining ones)" if options.last else ""
    return (
        f"{Path(options.model).name} in 4 bits, {options.target_tokens:,} target tokens a run, "
        f"`{options.train_options}`, seeds {', '.join(map(str, options.seeds))}; our pairs are made with "
        f"`{options.data_options}`. Evaluated on {options.texts} real pairs ({kinds}){last} and {options.clean} texts "
        f"without errors, of at most {options.max_chars:,} characters, each project in turn. Answers of models are "
        "guarded, those of tools are not. SHA-256: "
        + ", ".join(f"{name} {digest[:12]}" for name, digest in digests.items())
        + "."
    )


def run_record(work: Path, result: Result) -> dict[str, Any]:
    """A run with its settings and all of its figures."""
    name = result.source if result.seed is None else f"{result.source}-{result.seed}"
    path = work / "runs" / name / "adapter" / "train_manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    pairs = work / "pairs" / f"{name}.jsonl"
    return {
        "source": result.source,
        "seed": result.seed,
        "part": result.part,
        "keep_bias": result.bias,
        "cpu_seconds": {"training": round(result.training, 1), "answering": round(result.answering, 1)},
        "pairs_sha256": sha256_file(pairs) if pairs.exists() else "",
        "training": {
            "options": {key: portable(value) for key, value in manifest.get("options", {}).items()},
            **{key: manifest.get(key, {}) for key in ("results", "rejected", "sha256")},
        },
        "signature": {"errors": result.errors["signature_line"], "clean": result.clean["signature_line"]},
        "errors": {key: result.errors[key] for key in SUMMARY_KEYS},
        "beyond": {key: result.beyond[key] for key in SUMMARY_KEYS} if result.beyond else None,
        "clean": {key: result.clean[key] for key in ("figures", "guard", "harm")},
    }


def runs_table(records: Sequence[dict[str, Any]]) -> str:
    """A line for each run, with the digests of its pairs and of its adapter, in Markdown."""
    lines = []
    for record in records:
        f05 = tables.figure(record["errors"]["figures"]["model"]["repair_f05"])
        training = record["training"]
        lines.append(
            [
                record["source"],
                "" if record["seed"] is None else str(record["seed"]),
                record["part"],
                "" if record["keep_bias"] is None else f"{record['keep_bias']:g}",
                tables.format_figure(f05, interval=True),
                training["results"].get("examples", "").partition(" ")[0],
                training["results"].get("tokens", "").partition(" ")[0],
                str(sum(training["rejected"].values())) if training["results"] else "",
                record["pairs_sha256"][:12],
                training["sha256"].get("adapter_model.safetensors", "")[:12],
            ]
        )
    heads = ["pairs of", "seed", "part", "keep_bias", "F0.5", "examples", "tokens", "rejected"]
    heads += ["pairs SHA-256", "adapter SHA-256"]
    return tables.markdown_table(heads, lines)


def portable(value: Any) -> Any:
    """An option's value for the report; a path is cut to its last part, because its folder says nothing to a reader."""
    if isinstance(value, list):
        return [portable(item) for item in value]
    if isinstance(value, Path) or (isinstance(value, str) and "/" in value and Path(value).exists()):
        return Path(value).name
    return value if value is None or isinstance(value, str | float | int) else str(value)
