"""What the README and docs/ say is what the program does."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest
import typer

import run

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python run\.py ([^#\n]*)", README, flags=re.M)


def test_the_command_pages_are_as_written_by_make_docs():
    spec = importlib.util.spec_from_file_location("docs_commands", ROOT / "docs" / "commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT))

    assert module.build() == (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", COMMANDS)
def test_readme_commands_parse(line):
    words = shlex.split(line)
    command = typer.main.get_command(run.app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {name: p for p in command.params for name in p.opts}

    for word in words:
        assert not word.startswith("--") or word in known


def test_readme_names_the_two_commands_first():
    assert [line.strip() for line in COMMANDS[:2]] == ["setup", "backtest"]


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.search(r"lists the targets: `([a-z ]+)`", README)

    for target in named[1].split():
        assert re.search(rf"^{target}:.*## ", makefile, flags=re.M), target


@pytest.mark.parametrize(
    "page",
    [README, *(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").rglob("*.md")))],
)
def test_links_of_the_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        bases = (ROOT, ROOT / "docs", ROOT / "docs" / "decisions")
        found = [base for base in bases if (base / target).exists()]
        assert found, target


def test_every_decision_page_is_listed():
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", (folder / "README.md").read_text("utf-8")))

    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}
