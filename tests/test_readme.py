"""The commands and outputs of README and guides, run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from degraders.catalogue import all_degraders
from degraders.dataset.records import read_records

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "docs/realism.md", "docs/language-models.md")
CHECKOUT = (
    *("cli.py", "data_prep.py", "train_qlora.py", "eval.py", "pyproject.toml"),
    *("degraders", "fixer", "scoring", "sample_docs", "tests"),
)
NOT_RUN = {"pip install": "CI has installed the packages"}
SMALL = "--limit 32 --validation_limit 8 --max_length 1024"
SUBSTITUTES = {
    "google/gemma-3-270m": "debug-tiny",
    "--max_steps 300": f"--max_steps 2 {SMALL}",
    "--direction degrade": f"--direction degrade --max_steps 2 {SMALL}",
    "--llm-backend transformers": "--llm-backend transformers --debug_tiny",
    "--split test": "--split test --debug_tiny",
    "accelerate launch": f"{sys.executable} -m accelerate.commands.launch",
    "--save_dir lora_out": "--save_dir lora_out --debug_tiny --validation_limit 8",
}
"""What needs a hub or a GPU runs on the tiny model instead, and for a few steps."""


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Each command of the page's console blocks, with the lines of output below it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    listed = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip("\n").split("\n")
            listed.append((command, output))
    return listed


def shell_line(command: str, url: str) -> str:
    for text, substitute in SUBSTITUTES.items():
        if text in command:
            command = command.replace(text, substitute)
    command = command.replace("http://localhost:8000/v1", url)
    return re.sub(r"^python ", f"{sys.executable} ", command)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a clone, with documents and real pairs of the user's."""
    for name in CHECKOUT:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "sample_docs", tmp_path / "docs")
    return tmp_path


@pytest.fixture
def real_pairs(checkout: Path) -> Path:
    """Pairs of bad and good text of two projects."""
    import data_prep

    dataset = checkout / "pairs_of_the_user.jsonl"
    assert data_prep.main(["--input", str(ROOT / "sample_docs"), "--output", str(dataset)]) == 0
    rows = [
        {"bad": row["bad"], "good": row["good"], "repo": f"owner{number % 2}/project"}
        for number, row in enumerate(read_records(dataset))
    ]
    path = checkout / "real_pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def server_url() -> Iterator[str]:
    """The address of a chat-completions server on this machine."""
    import servers

    with servers.serving(lambda body, handler: servers.say(handler, servers.passage_of(body))) as url:
        yield url


@pytest.mark.slow
@pytest.mark.fixer
@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs_from_top_to_bottom(page: str, checkout: Path, real_pairs: Path, server_url: str) -> None:
    pytest.importorskip("peft")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "BASE_MODEL": ""}
    for command, output in commands(page):
        if any(text in command for text in NOT_RUN):
            continue
        line = shell_line(command, server_url)
        done = subprocess.run(line, shell=True, cwd=checkout, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        printed = done.stdout.splitlines()
        for expected in output:
            assert expected in printed, f"{expected!r} is not in the output of {line}:\n{done.stdout}"


@pytest.mark.slow
def test_the_example_is_a_record_of_the_sample_documents(tmp_path: Path) -> None:
    import data_prep

    assert data_prep.main(["--input", str(ROOT / "sample_docs"), "--output", str(tmp_path / "d.jsonl")]) == 0
    (block,) = re.findall(r"```json\n(.*?)\n```", README, re.DOTALL)
    spans = [json.loads(line) for line in block.splitlines()]
    (row,) = (row for row in read_records(tmp_path / "d.jsonl") if row["spans"] == spans)
    good, bad = re.findall(r"```markdown\n(.*?)\n```", README, re.DOTALL)
    assert good in row["good"] and bad in row["bad"]


def test_readme_has_commands_with_output_and_is_short() -> None:
    assert len(commands("README.md")) >= 8
    assert sum(len(output) for _, output in commands("README.md")) >= 5
    assert len(README.encode()) < 10_000 and README.count("\n") <= 200


def test_the_degrader_of_the_readme_gives_its_example() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    check = "from support import outcomes; assert 'They recieve it.' in outcomes('spelling.ie_ei', 'They receive it.')"
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]"
    subprocess.run([sys.executable, "-c", f"{path}\n{code}\n{check}"], check=True)


def test_the_example_of_a_repair_matches_its_table() -> None:
    page = (ROOT / "docs" / "worth.md").read_text(encoding="utf-8")
    bad, answer = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    rows = re.findall(r"^\| (.+?) \| (.+?) \| \[.+?\]\(https://github.com/.+?\) \| (yes|no) \|$", page, re.MULTILINE)
    assert len(rows) == 9 and [repaired for _, _, repaired in rows].count("yes") == 2
    expected = bad
    for wrong, right, repaired in rows:
        assert bad.count(wrong) == 1
        expected = expected.replace(wrong, right) if repaired == "yes" else expected
    assert answer == expected


def test_the_readme_counts_the_degraders() -> None:
    (count,) = re.findall(r"all (\d+) kinds of error", README)
    assert int(count) == sum(item.family != "llm" for item in all_degraders().values())


def test_options_page_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "make_options.py")]
    environment = {name: value for name, value in os.environ.items() if name != "BASE_MODEL"}
    page = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()
    assert page == (ROOT / "docs" / "options.md").read_text(encoding="utf-8"), (
        "python docs/make_options.py > docs/options.md"
    )


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_every_option_named_exists(page: str) -> None:
    import data_prep
    import eval as evaluation
    import train_qlora

    scripts = (data_prep, train_qlora, evaluation)
    options = {option for script in scripts for option in script.build_parser()._option_string_actions}
    text = (ROOT / page).read_text(encoding="utf-8")
    # Options of benchmarks and of other programs.
    text = re.sub(
        r"`python -m (?:benchmarks|pytest)[^`]*`|--config_file|^\$ (?:python3? -m|ruff|pip) .*$",
        "",
        text,
        flags=re.MULTILINE,
    )
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+", text))
    assert named <= options, named - options


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
