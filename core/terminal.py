"""What a terminal can take: colours, width, characters; and what to do where there is none.

Lines are built plain everywhere; colour and folding are put on here, at the very end, and only
for a terminal, so what a pipe or a file gets is the same text without escapes.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
from collections.abc import Mapping
from typing import TextIO

RED, GREEN, YELLOW, CYAN, BOLD = "31", "32", "33", "36", "1"
NARROWEST = 40
"""A terminal that says it is narrower (or says nothing sensible) is treated as this wide."""

_PLAIN_LETTERS = {"→": "->", "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": ".",
                  "≥": ">=", "≤": "<=", "±": "+/-", "₹": "INR ", "’": "'", "“": '"', "”": '"',
                  "\N{NO-BREAK SPACE}": " "}  # fmt: skip
_ERRORS = "tola_plain_letters"


def wants_color(
    stream: TextIO, *, refused: bool = False, env: Mapping[str, str] = os.environ
) -> bool:
    """Say whether colours go to a stream.

    In this order, as Python's own programs read them: `--no-color` (`refused`) and NO_COLOR say
    no, FORCE_COLOR and CLICOLOR_FORCE yes, TERM=dumb and CLICOLOR=0 no, else a terminal gets them.
    """
    if refused or env.get("NO_COLOR"):
        return False
    if any(env.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if env.get("TERM") == "dumb" or env.get("CLICOLOR") == "0":
        return False
    return stream.isatty()


def width() -> int:
    """Return how many characters fit on a line of the terminal (COLUMNS wins)."""
    return max(shutil.get_terminal_size().columns, NARROWEST)


def make_writable(stream: TextIO) -> None:
    """Let a stream take any text: a letter its code page lacks is spelled in ones it has.

    Concerns `LANG=C`, pipes on Windows (cp1252), and file names that are no valid text.
    """
    codecs.register_error(_ERRORS, _spell)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=_ERRORS)


def _spell(fault: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    letter = fault.object[fault.start]
    if "\udc80" <= letter <= "\udcff":  # a byte of a file's name that Python could not read
        return bytes([ord(letter) - 0xDC00]), fault.start + 1
    plain = letter.encode("ascii", "backslashreplace").decode("ascii")
    return _PLAIN_LETTERS.get(letter, plain), fault.start + 1


def can_hold(stream: TextIO, text: str) -> bool:
    """Say whether a stream's code page has every letter of a text."""
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def silence(stream: TextIO) -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush says nothing."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no file below the stream: nothing will be flushed either
        return


_LEADS = (
    (re.compile(r"(?:internal )?error\b(?=[: ])|FAIL\b|INTERRUPTED\b"), RED),
    (re.compile(r"(?:note|warning|override|interrupted|warn)\b(?=[: ])"), YELLOW),
    (re.compile(r"ok\b(?= )"), GREEN),
    (re.compile(r"next:"), CYAN),
)
_VERDICTS = (
    (re.compile(r"\bno edge shown\b"), YELLOW),
    (re.compile(r"\bloses\b"), RED),
    (re.compile(r"\bpositive in this sample\b"), GREEN),
)
_SIGNED = re.compile(
    r"(?<![\w.,])(?<!of )(?P<sign>[+-])(?:\$[\d,]+(?:\.\d+)?|[\d,]+(?:\.\d+)? (?:[A-Z]{3}|%)"
    r"|\d+(?:\.\d+)? R)(?!\w)"
)


def paint(line: str) -> str:
    """Return a line with profit and loss, verdict, remarks and errors in colour."""
    bare = line.lstrip()
    indent = line[: len(line) - len(bare)]
    for pattern, color in _LEADS:
        lead = pattern.match(bare)
        if lead is not None:
            bold = f"{BOLD};{color}" if color == RED else color
            rest = bare[lead.end() :]
            return indent + _painted(lead[0], bold) + (rest if color == CYAN else _figures(rest))
    return indent + _figures(bare)


def _figures(text: str) -> str:
    for pattern, color in _VERDICTS:
        verdict = pattern.search(text)
        if verdict is not None:
            head, tail = text[: verdict.start()], text[verdict.end() :]
            return _signed(head) + _painted(verdict[0], color) + _signed(tail)
    return _signed(text)


def _signed(text: str) -> str:
    return _SIGNED.sub(_profit_or_loss, text)


def _profit_or_loss(found: re.Match[str]) -> str:
    if not re.search("[1-9]", found[0]):
        return found[0]
    return _painted(found[0], GREEN if found["sign"] == "+" else RED)


def _painted(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def fold(line: str, columns: int) -> list[str]:
    """Return a line as lines that fit, broken at gaps, then at spaces; the rest stands indented.

    A word longer than the line (a path, a command) is left whole: the terminal wraps it and it
    can still be copied.
    """
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    parts, rest = [], line
    while len(rest) > columns:
        least = len(rest) - len(rest.lstrip()) + 1
        cut = rest.rfind("  ", columns // 2, columns + 1)
        cut = cut if cut >= 0 else rest.rfind(" ", least, columns + 1)
        cut = cut if cut >= 0 else rest.find(" ", columns)
        if cut < 0 or not rest[cut:].strip():
            break
        parts.append(rest[:cut].rstrip())
        rest = indent + rest[cut:].lstrip()
    return [*parts, rest.rstrip() if parts else rest]
