"""What an audit finds, and where it stands in the strategy's own source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that makes a backtest untrue.

    Attributes
    ----------
    kind : "reads_ahead", "rewritten", "decision", "two_ways", "reads_file", "warmup" or
        "not_repeatable".
    bar : START of the first bar it shows at, ISO 8601; "" before the first bar.
    file, line : the strategy's own source, "" and 0 where it is not in a line of it.
    what : in a sentence, without place and bar.
    reading : name of the reading, "" where it is none.
    bars : at how many bars it shows, 0 where that is not counted.
    """

    kind: str
    bar: str
    what: str
    file: str = ""
    line: int = 0
    reading: str = ""
    bars: int = 0

    @property
    def place(self) -> str:
        """The line of source, "my.py:23"."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def describe(self) -> str:
        """Return it in one line."""
        where = f"{self.place}: " if self.place else ""
        when = f" (first at the bar of {self.bar})" if self.bar else " (before the first bar)"
        return f"{where}{self.what}{when}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "place": self.place}


def without_repeats(found: Iterable[Finding]) -> list[Finding]:
    """Return findings in their order: one kind at one place once, and none without a place where
    one at the same bar has it."""
    items = list(found)
    placed = {item.bar for item in items if item.line}
    seen: set[tuple[str, str, str]] = set()
    kept = []
    for item in items:
        key = (item.kind, item.place, item.reading)
        if key in seen or (not item.line and item.bar in placed):
            continue
        seen.add(key)
        kept.append(item)
    return kept
