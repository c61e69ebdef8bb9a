"""Which line of a strategy's source makes two runs part: its steps at one bar, line by line."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.audit.late import Step, stepping
from backtests.audit.runs import Runs

_SCALARS = (bool, int, float, str, type(None), np.generic)
_DIGITS = 9
_LONGEST = 20_000
"""Lines of one step that are kept."""


@dataclass
class LineTrace:
    """Every line of some files that is executed, with the plain values in sight of it."""

    files: frozenset[str]
    steps: list[tuple[str, int, tuple[Any, ...]]] = field(default_factory=list)

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        """Note a line (Python's trace function)."""
        if frame.f_code.co_filename not in self.files:
            return None
        if event in ("line", "return") and len(self.steps) < _LONGEST:
            seen = _plain(frame.f_locals.items())
            owner = frame.f_locals.get("self")
            if owner is not None:
                seen += _plain(vars(owner).items())
            if event == "return":
                seen += _plain([("return", argument)])
            self.steps.append((frame.f_code.co_filename, frame.f_lineno, tuple(seen)))
        return self


def _plain(items: Any) -> list[tuple[str, Any]]:
    return [
        (name, _rounded(value))
        for name, value in items
        if isinstance(value, _SCALARS) and not name.startswith("_")
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return "nan" if value != value else float(f"{float(value):.{_DIGITS}g}")
    return value


def parting_line(runs: Runs, bar: int) -> tuple[str, int] | None:
    """Return the line after which a bar's step goes on otherwise if the file ends with that bar.

    None where the strategy's own lines run alike, with the same plain values.
    """
    whole, cut = LineTrace(runs.files), LineTrace(runs.files)
    _trace(runs, bar, whole, len(runs.bars) - 1)
    _trace(runs, bar, cut, bar)
    for place, (one, other) in enumerate(zip(whole.steps, cut.steps, strict=False)):
        if one != other:
            return whole.steps[max(place - 1, 0)][:2]
    shorter, longer = sorted((whole.steps, cut.steps), key=len)
    if len(shorter) < len(longer) and shorter:
        return shorter[-1][:2]
    return None


def _trace(runs: Runs, bar: int, trace: LineTrace, last: int) -> None:
    """Run on the file up to bar `last`, tracing the step at `bar`; end the run after it."""

    def around(strategy: Any, name: str, step: Step) -> None:
        if len(strategy.data0) != bar + 1:
            step()
            return
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            step()
        finally:
            sys.settrace(before)
            strategy.env.runstop()

    runs.cut(last, "looking for the line", lambda kind: stepping(kind, around))


def made_at(strategy: type[Any], reading: str, maker: Any) -> tuple[str, int] | None:
    """Return where the source makes a reading: its indicator's own class, else its attribute.

    Parameters
    ----------
    reading : as `watching.readings_of` names it. maker : its indicator.
    """
    own = _source_of(type(maker))
    file = inspect.getsourcefile(strategy)
    if own is not None and file is not None and own[0] == file:
        return own
    attribute = reading.partition(".")[0].partition(" ")[0]
    return None if file is None else _assigned(strategy, file, attribute)


def _source_of(kind: type[Any]) -> tuple[str, int] | None:
    try:
        file = inspect.getsourcefile(kind)
        return None if file is None else (file, inspect.getsourcelines(kind)[1])
    except (OSError, TypeError):
        return None


def _assigned(strategy: type[Any], file: str, attribute: str) -> tuple[str, int] | None:
    try:
        lines, first = inspect.getsourcelines(strategy)
    except OSError:
        return None
    tree = ast.parse(textwrap.dedent("".join(lines)))
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == attribute:
                return file, first + target.lineno - 1
    return None
