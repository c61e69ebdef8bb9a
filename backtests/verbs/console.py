"""What all verbs of the command line share: words at any place, help pages, printing, errors."""

from __future__ import annotations

import errno
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from backtests.verbs.outcome import Outcome, describe
from backtests.verbs.progress import Progress
from core.log import configure
from core.terminal import can_hold, fold, make_writable, paint, silence, wants_color, width

QUIET, NO_COLOR, JSON = ("--quiet", "-q"), ("--no-color",), "--json"
EVERYWHERE = [
    (", ".join(reversed(QUIET)), "No progress and no tables: the result in its shortest form."),
    (NO_COLOR[0], "No colours; NO_COLOR, FORCE_COLOR and TERM=dumb are heeded too."),
]
"""Options that every verb takes, at any place of the line, as the help pages show them."""

_HELP = {"help_option_names": ["-h", "--help"]}


class Verb(TyperCommand):
    """A command whose help page names the options that every verb takes."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the verb's own options, then the common ones."""
        super().format_options(ctx, formatter)
        _write_common(formatter)


class Verbs(TyperGroup):
    """A group of commands; its page names them too."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the group's options and verbs, then the common options."""
        super().format_options(ctx, formatter)
        _write_common(formatter)


def _write_common(formatter: Any) -> None:
    with formatter.section("Everywhere"):
        formatter.write_dl(EVERYWHERE)


class App(typer.Typer):
    """A Typer application in our manner: plain pages, `-h`, no traces, common options named."""

    def __init__(self, **given: Any) -> None:
        super().__init__(
            cls=Verbs,
            context_settings=_HELP,
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            **given,
        )

    def command(self, name: str | None = None, **given: Any) -> Callable[..., Any]:
        """Return a decorator that makes a function a verb."""
        settings = {**_HELP, **given.pop("context_settings", {})}
        return super().command(name, cls=Verb, context_settings=settings, **given)


class Console:
    """Where a command's words come from and its lines go to.

    Attributes
    ----------
    quiet : bool
        `--quiet` was given: no progress, and lines in their shortest form.
    words : list of str
        The command line without what is common to all verbs, so that it can be told again.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.words: list[str] = []
        self._as_json = False
        self._colorless = False
        self._out: TextIO | None = None

    def open(self, arguments: Sequence[str]) -> list[str]:
        """Take the common options out of a command line and return the rest of it."""
        arguments = list(arguments)
        end = arguments.index("--") if "--" in arguments else len(arguments)
        ours, rest = arguments[:end], arguments[end:]
        self.quiet = any(word in QUIET for word in ours)
        self._colorless = any(word in NO_COLOR for word in ours)
        self._as_json = JSON in ours
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by the shell (`>&-`), or pythonw
                setattr(sys, name, io.StringIO())
            make_writable(getattr(sys, name))
        configure("WARNING", brief=True)  # a verb with settings sets its own level
        ours = [word for word in ours if word not in (*QUIET, *NO_COLOR, JSON)]
        self.words = ours + rest
        return ours + [JSON] * (self._as_json and bool(ours)) + rest

    @contextmanager
    def results_alone(self) -> Iterator[None]:
        """With `--json`, let what a user's own code prints go to stderr meanwhile."""
        if not self._as_json:
            yield
            return
        self._out = sys.stdout
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            self._out = None

    def show(self, outcome: Outcome, as_json: bool) -> None:
        """Print an outcome, as one JSON object or as lines ending with what to do next."""
        if as_json:
            text = outcome.json()
            if not can_hold(self._out or sys.stdout, text):
                text = json.dumps(json.loads(text), indent=2)
            self.say(text)
            return
        lines = outcome.short if self.quiet and outcome.short else outcome.lines
        columns = width() if sys.stdout.isatty() else None
        shown = [part for line in lines for part in (fold(line, columns) if columns else [line])]
        if outcome.next:
            shown.append(f"next: {outcome.next}")
        if shown:
            self.say(*shown)

    def explain(self, error: BaseException) -> int:
        """Print an error as one line on stderr, with `--json` an object too; return its code."""
        line, code = describe(error)
        self._write(sys.stderr, line)
        if self._as_json:
            kind = type(error).__name__
            fault = {"error": {"kind": kind, "message": line, "exit_code": code}}
            self._write(self._out or sys.stdout, json.dumps(fault), plain=True)
        return code

    def progress(self) -> Progress:
        """Return the display of a run's progress, on stderr: stdout holds results alone."""
        return Progress(sys.stderr, wanted=not self.quiet)

    def say(self, *lines: str) -> None:
        """Print lines on stdout."""
        self._write(self._out or sys.stdout, "\n".join(lines), plain=self._as_json)

    def _write(self, stream: TextIO, text: str, *, plain: bool = False) -> None:
        """Write a text; a reader that has gone (`| head`) has had enough, that is no fault.

        A stream that fails (a full disk) is used no more: the fault could be told nowhere else.
        """
        color = not plain and wants_color(stream, refused=self._colorless)
        if color:
            text = "\n".join(paint(line) for line in text.split("\n"))
        try:
            typer.echo(text, file=stream, color=color)
        except OSError as fault:
            silence(stream)
            if fault.errno in (errno.EPIPE, errno.EINVAL) or stream is sys.stderr:
                return  # Windows says EINVAL
            raise OSError(fault.errno, fault.strerror, "standard output") from fault


console = Console()
"""The one of this process; `open` begins each command anew."""


def show(outcome: Outcome, as_json: bool) -> None:
    """Print an outcome and leave the verb with its exit code."""
    console.show(outcome, as_json)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
