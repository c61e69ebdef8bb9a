"""Options that several verbs of the command line share, and how their help is written."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def examples(*commands: str) -> str:
    """Return a help page's examples, one a line (the mark keeps the lines apart)."""
    return "\b\nExamples:\n" + "\n".join(f"  python run.py {command}" for command in commands)


def option(metavar: str, text: str, *names: str) -> Any:
    """Return an option whose value the help page calls `metavar` (completion goes by it)."""
    return typer.Option(*names, metavar=metavar, help=text)


def switch(text: str, *names: str) -> Any:
    """Return an option without a value."""
    return typer.Option(*names, help=text)


def argument(metavar: str, text: str) -> Any:
    """Return an argument that the help page calls `metavar`."""
    return typer.Argument(metavar=metavar, help=text, show_default=False)


Json = Annotated[bool, switch("Print one JSON document, nothing else.", "--json")]
Config = Annotated[str, option("FILE", "Settings file.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="last, -1, a number or its beginning.")]
Plans = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PLAN or STRATEGY]...", help="Of tola.toml, or bundled."),
]
Timezone = Annotated[
    str | None, option("ZONE", "Zone of the file's stamps: UTC, Asia/Kolkata, ny+7 (MT5).")
]
NoReport = Annotated[bool, switch("No HTML and no plots.", "--no-report")]
AccountName = Annotated[
    str | None,
    option("NAME", "The account; default: the only one that runs, or the only one.", "--account"),
]

RUN_NAMES = {"ignore_unknown_options": True}
"""Context settings of verbs that take a run: lets -1 be one."""
