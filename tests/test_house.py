"""Import rules that import-linter cannot check, because the scripts are not in a package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("data_prep", "train_qlora", "eval")


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_imports_another(script: str) -> None:
    assert "cli" in imported_modules(ROOT / f"{script}.py")
    assert not imported_modules(ROOT / f"{script}.py") & set(SCRIPTS)


def test_only_scripts_read_the_command_line() -> None:
    rooms = [path for room in ("degraders", "fixer", "scoring") for path in (ROOT / room).rglob("*.py")]
    assert rooms
    assert [path.name for path in rooms if imported_modules(path) & {"argparse", "cli"}] == []
