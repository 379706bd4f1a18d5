"""The table of docs/taxonomy.md lists every degrader, in its family and with its severity."""

from __future__ import annotations

import re
from pathlib import Path

from degraders.catalogue import all_degraders

TAXONOMY = Path(__file__).resolve().parents[1] / "docs" / "taxonomy.md"


def test_the_taxonomy_lists_every_degrader_but_the_offline_stub() -> None:
    rows = set()
    family = ""
    for line in TAXONOMY.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"\| \| \*\*(.+)\*\* \|", line):
            family = heading[1]
        elif row := re.fullmatch(r"\| \d+ \| ([\w.]+) \| .* \| (\d) \|", line):
            rows.add((row[1] if "." in row[1] else f"{family}.{row[1]}", int(row[2])))
    assert rows == {(item.name, item.severity) for item in all_degraders().values() if item.name != "llm.stub"}
