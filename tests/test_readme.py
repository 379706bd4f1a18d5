"""The README's commands, run as they stand, and what it says they print."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from degraders.catalogue import all_degraders
from degraders.taxonomy import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIES = re.compile(r"^time ")


def commands() -> list[tuple[str, list[str]]]:
    """Each `python …` command of a console block, without the set-up before it, with the lines that follow it."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *output = part.rstrip("\n").split("\n")
            command = line.split(" && ")[-1]
            if command.startswith("python data_prep.py"):
                found.append((command, output))
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a clone, with some documents of the user's."""
    for name in (
        "cli.py",
        "data_prep.py",
        "train_qlora.py",
        "eval.py",
        "fixer",
        "scoring",
        "degraders",
        "sample_docs",
        "tests",
        "pyproject.toml",
    ):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "sample_docs" / "guide", tmp_path / "docs")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), commands(), ids=[command for command, _ in commands()])
def test_command(command: str, output: list[str], checkout: Path) -> None:
    line = command.replace("python ", f"{sys.executable} ", 1)
    done = subprocess.run(line, shell=True, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.splitlines()
    for shown in output:
        if not VARIES.match(shown):
            assert shown in printed, f"{shown!r} is not in:\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.fixer
def test_the_story_from_documents_to_a_report(checkout: Path) -> None:
    pytest.importorskip("peft")
    (block,) = (block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if "python eval.py" in block)
    for command in re.findall(r"^\$ python (.*)", block, re.MULTILINE):
        done = subprocess.run([sys.executable, *command.split()], cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert {"eval_results.csv", "eval_results.html", "eval_results.summary.json"} <= {
        p.name for p in checkout.iterdir()
    }


@pytest.mark.slow
def test_the_example_is_a_record_of_the_sample_documents(checkout: Path) -> None:
    import data_prep
    from degraders.dataset.records import read_records

    assert data_prep.main(["--input", str(checkout / "sample_docs"), "--output", str(checkout / "d.jsonl")]) == 0
    (block,) = re.findall(r"```json\n(.*?)\n```", README, re.DOTALL)
    spans = [json.loads(line) for line in block.splitlines()]
    (row,) = (row for row in read_records(checkout / "d.jsonl") if row["spans"] == spans)
    good, bad = re.findall(r"```markdown\n(.*?)\n```", README, re.DOTALL)
    assert good in row["good"] and bad in row["bad"]


def test_the_repair_shown_mends_what_its_table_says_and_nothing_else() -> None:
    bad, answer = re.findall(r"```text\n(.*?)\n```", README, re.DOTALL)
    rows = re.findall(r"^\| (.+?) \| (.+?) \| \[.+?\]\(https://github.com/.+?\) \| (yes|no) \|$", README, re.MULTILINE)
    assert len(rows) == 9 and [told for _, _, told in rows].count("yes") == 2
    mended = bad
    for wrong, right, told in rows:
        assert bad.count(wrong) == 1
        mended = mended.replace(wrong, right) if told == "yes" else mended
    assert answer == mended


def test_there_are_commands_and_output_to_check() -> None:
    assert len(commands()) >= 3
    assert any(len(output) > 8 for _, output in commands())


def test_the_degrader_shown_does_what_its_example_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    check = "from support import outcomes; assert 'They recieve it.' in outcomes('spelling.ie_ei', 'They receive it.')"
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]"
    subprocess.run([sys.executable, "-c", f"{path}\n{code}\n{check}"], check=True)


def test_the_table_of_degraders_names_them_all() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", README, re.MULTILINE)
    named = {f"{family}.{name}" for family, names in rows if family in FAMILIES for name in names.split(", ")}
    assert named == set(all_degraders())


def test_every_option_named_exists() -> None:
    import data_prep
    import eval as evaluation
    import train_qlora

    scripts = (data_prep, train_qlora, evaluation)
    known = {option for script in scripts for option in script.build_parser()._option_string_actions}
    text = re.sub(r"`python benchmarks/[^`]*`|--config_file", "", README)  # options of benchmarks, and of accelerate
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+", text))
    assert named <= known, named - known
