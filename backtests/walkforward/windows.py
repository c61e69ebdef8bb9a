"""The windows of a walk-forward: on which days parameters are chosen, on which they trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError

WINDOWS, TRAIN_SHARE = 12, 4
"""By default so many windows, each chosen on so many times the days it trades."""


@dataclass(frozen=True)
class Window:
    """Places of trading days: chosen on `first` to `middle`, traded on `middle` to `last`.

    The ends are not included.
    """

    first: int
    middle: int
    last: int


@dataclass(frozen=True)
class Cut:
    """How windows are cut; None where the default holds.

    windows : how many. train, test : their lengths, in trading days or, by trades, in closed
    trades of the plan as it is. anchored : every window is chosen on all days before it.

    A window holds whole days: by trades, its days end with the one on which the last of its trades
    is closed, and what is chosen on begins no later than the day on which its first one is.
    """

    windows: int | None = None
    train: int | None = None
    test: int | None = None
    anchored: bool = False
    by_trades: bool = False


def make_windows(cut: Cut, days: int, exits: Sequence[int]) -> list[Window]:
    """Return the windows, oldest first; the last one ends with the prices or just before.

    By trades, windows that end on the same day are one, so that each has a day to trade.

    Parameters
    ----------
    days : trading days of the prices.
    exits : place of the day on which each trade of the plan as it is closed, ascending.

    Raises
    ------
    ConfigError : a length below 1, or too few days (or trades) for the windows.
    """
    train, test, count = lengths(cut, days, exits)
    windows = _cut(cut, days, exits, train, test, count)
    if len(windows) < (cut.windows or 1):
        raise ConfigError(
            f"{count - len(windows)} of {count} windows by trades would have no day of their own, "
            "since several trades are closed on one day: take fewer windows, or a longer --test"
        )
    return windows


def _cut(
    cut: Cut, days: int, exits: Sequence[int], train: int, test: int, count: int
) -> list[Window]:
    total = len(exits) if cut.by_trades else days
    edges = [train + test * place for place in range(count + 1)]
    shift = total - edges[-1]  # what does not fit is left out at the beginning
    places = [_day(edge + shift, cut, exits) for edge in edges]
    begins = [_first_day(edge + shift - train, cut, exits) for edge in edges]
    return [
        Window(0 if cut.anchored else begins[k], places[k], places[k + 1])
        for k in range(count)
        if places[k] < places[k + 1]
    ]


def lengths(cut: Cut, days: int, exits: Sequence[int]) -> tuple[int, int, int]:
    """Return days (or trades) chosen on, days traded, and how many windows that makes.

    The parameters, and what is raised, are those of `make_windows`.
    """
    for name in ("windows", "train", "test"):
        value = getattr(cut, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} {value}: expected 1 or more")
    total = len(exits) if cut.by_trades else days
    what = "trades of the plan as it is" if cut.by_trades else "trading days"
    train, test, count = _lengths(cut, total)
    if test < 1 or count < 1:
        raise ConfigError(
            f"too little for {cut.windows or WINDOWS} windows: the prices hold {total:,} {what}; "
            "take fewer windows, or a shorter --train and --test"
        )
    return train, test, count


def _lengths(cut: Cut, total: int) -> tuple[int, int, int]:
    """Return the same, zeros where it does not fit."""
    train, test, count = cut.train, cut.test, cut.windows
    if test is None:
        wanted = count or WINDOWS
        test = (total - train) // wanted if train else total // (wanted + TRAIN_SHARE)
    if train is None:
        train = TRAIN_SHARE * test if count is None or cut.test is None else total - count * test
    if train < 1 or test < 1:
        return 0, 0, 0
    fits = (total - train) // test
    if count is not None and fits < count:
        return 0, 0, 0
    return train, test, count or fits


def _day(edge: int, cut: Cut, exits: Sequence[int]) -> int:
    """Return the place of the day that follows an edge; by trades, the day after the trade's."""
    if not cut.by_trades:
        return edge
    return exits[edge - 1] + 1 if edge else 0


def _first_day(edge: int, cut: Cut, exits: Sequence[int]) -> int:
    """Return the place of the day on which choosing begins.

    By trades it is the day itself where those on both sides of the edge are closed on it: else a
    window chosen on few trades could lose them all.
    """
    day = _day(edge, cut, exits)
    return min(day, exits[edge]) if cut.by_trades and edge < len(exits) else day
