"""Write docs/commands.md from the help pages themselves: `python docs/commands.py`."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

HEAD = """# Commands

Written by `make docs` from the commands' own `--help`; do not edit.
"""


def build() -> str:
    """Return the page's text."""
    import typer

    import run

    parts = [HEAD]
    for words in _verbs(typer.main.get_command(run.app)):
        parts.append(f"## {' '.join(words) or 'run.py'}\n\n```\n{_help(words)}\n```\n")
    return "\n".join(parts)


def _verbs(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, sub in getattr(command, "commands", {}).items():
        yield from _verbs(sub, (*words, name))


def _help(words: tuple[str, ...]) -> str:
    import run

    os.environ["COLUMNS"] = "80"
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        run.main([*words, "--help"])
    return page.getvalue().strip()


if __name__ == "__main__":
    (ROOT / "docs" / "commands.md").write_text(build(), encoding="utf-8")
