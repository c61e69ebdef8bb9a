"""Completion of command lines: what may stand next, and the scripts that ask it from a shell.

It knows names and files, nothing of what a verb does; it must not import what is slow to load
(Backtrader, numba, pandas), since it runs at every press of the tab key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtests.verbs.completion.scripts import script
from backtests.verbs.completion.words import complete
from backtests.verbs.outcome import Outcome

WORDS = "words"
"""Stands for a shell's name where a script asks for candidates."""


def completion(shell: str, words: Sequence[str], root: Any) -> Outcome:
    """Return a shell's script as the lines to print, or the candidates such a script asks for.

    Parameters
    ----------
    shell : str
        A shell's name, or `words`.
    words : sequence of str
        For `words`: the unfinished line after run.py.
    root : Typer's command group

    Raises
    ------
    ConfigError : unknown shell.
    """
    if shell == WORDS:
        found = complete(root, words)
        return Outcome({"candidates": found}, found, "")
    text = script(shell)
    return Outcome({"shell": shell, "script": text}, text.splitlines(), "")
