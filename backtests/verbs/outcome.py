"""What a command hands to the command line: a JSON object, lines to read, what to do next."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ConfigError, TolaError

logger = logging.getLogger(__name__)

DONE, FAILED, WRONG_USAGE = 0, 1, 2

_RECORDED = ("data", "tz", "from", "to")
_OF_PLAN = ("strategy", *_RECORDED, "instrument", "timeframe", "with", "params", "risk")
"""Options of a plan that `audit`, `walkforward`, `ready` and `live` all take."""

_RECORDED = ("data", "tz", "from", "to")
_OF_PLAN = ("strategy", *_RECORDED, "instrument", "timeframe", "with", "params", "risk")
"""Options of a plan that `audit`, `walkforward`, `ready` and `live` all take."""


@dataclass(frozen=True)
class Outcome:
    """The result of one command.

    Attributes
    ----------
    document : dict
        What `--json` prints.
    lines : list of str
        The same for people.
    next : str
        What makes sense now; it ends with a command. Empty where the lines are for a program.
    short : list of str
        What `--quiet` leaves of the lines.
    exit_code : int
        0 done, 1 a check failed or the run was cut short.
    """

    document: dict[str, Any]
    lines: list[str]
    next: str
    short: list[str] = field(default_factory=list)
    exit_code: int = DONE

    def json(self) -> str:
        """Return the document as strict JSON."""
        from core.results import json_text

        return json_text({**self.document, "next": self.next})


def command_line(words: Sequence[str]) -> str:
    """Return `python run.py WORDS` as one can paste it into this system's shell."""
    text = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f"python run.py {text}"


def settings_words(config: str | Path | None) -> list[str]:
    """Return the words by which a command names its settings file, none for the usual one."""
    from core.config import DEFAULT_FILE

    return [] if config is None or str(config) == DEFAULT_FILE else ["--config", str(config)]


def plan_words(
    names: Sequence[str], flags: Mapping[str, Any], *, recorded: bool = True
) -> list[str]:
    """Return the options by which a further command, given a plan's name, means it as this one did.

    Parameters
    ----------
    names, flags : of this one; where it had no name, `--strategy` is the plan's.
    recorded : also those that only recorded prices can follow.
    """
    from core.config_fields import flag_name

    left_out = () if recorded else _RECORDED
    words = []
    for name in _OF_PLAN:
        value = flags.get(name)
        if value is None or name in left_out or (name == "strategy" and not names):
            continue
        for text in value if isinstance(value, list) else [value]:
            words += [flag_name(name), str(text)]
    return words


def describe(error: BaseException) -> tuple[str, int]:
    """Return one clear line for an error, and the exit code.

    Wrong usage and settings give 2, all else 1. A fault of the program itself names the place;
    with TOLA_DEBUG set its trace is shown.
    """
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return "interrupted: nothing was kept", FAILED
    if isinstance(error, TolaError):
        return f"error: {_one_line(str(error))}", (
            WRONG_USAGE if isinstance(error, ConfigError) else FAILED
        )
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error), WRONG_USAGE
    if hasattr(error, "format_message"):  # typer's usage errors
        context = getattr(error, "ctx", None)
        hint = f" (see: python {context.command_path} --help)" if context is not None else ""
        return f"error: {error.format_message()}{hint}", getattr(error, "exit_code", WRONG_USAGE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"error: {where}{error.strerror or error}", FAILED
    return _describe_fault(error), FAILED


def _one_line(text: str) -> str:
    """Return a message of one fault on one line; several faults keep a line each."""
    head, *faults = text.splitlines()
    if len(faults) > 1 and not head.endswith(": 1 fault"):
        return text
    return ": ".join([head.removesuffix(": 1 fault"), *(fault.strip() for fault in faults)])


def _describe_fault(error: BaseException) -> str:
    if os.environ.get("TOLA_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (
        f"internal error{place}: {type(error).__name__}: {error} "
        "(a fault of Tola; TOLA_DEBUG=1 shows the trace)"
    )
