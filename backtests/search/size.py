"""How large a search may be: what cannot be kept is refused, and told what it would have taken."""

from __future__ import annotations

import time

from backtests.search.drivers import GRID, MOST_SETS, draw_sets
from backtests.search.runners import Runner
from backtests.search.space import Space
from core.errors import ConfigError
from core.wording import plural

_PROBED = 32
_TRIALS = 5000


def check_size(runner: Runner, space: Space, search: str, total: int, windows: int = 1) -> None:
    """Refuse a search whose results could not be kept, with an estimate of what it would take.

    Parameters
    ----------
    runner : a few sets are run to measure. search, total : of `drivers.make_driver`.
    windows : for how many each set is run, and kept, anew.

    Raises
    ------
    ConfigError : there would be more than MOST_SETS.
    """
    combinations = total * windows
    if combinations <= MOST_SETS:
        return
    probes = draw_sets(space, _PROBED, 1)
    runner.run(probes[:1])
    began = time.perf_counter()
    runner.run(probes)
    rate = len(probes) * windows / (time.perf_counter() - began)
    asked = f"the grid has {total:,} combinations" if search == GRID else f"--trials {total:,}"
    each = f", each for {windows} windows" if windows > 1 else ""
    fewer = "take larger steps, or --search tpe --trials" if search == GRID else "take --trials"
    if windows > 1:
        fewer = f"fewer --windows, or {fewer}"
    raise ConfigError(
        f"{asked}{each}, about {span_text(combinations / rate)} at {rate:,.0f}/s (measured on "
        f"{len(probes)} of them, one process); at most {MOST_SETS:,} are run: {fewer} "
        f"{min(_TRIALS, MOST_SETS // windows)}"
    )


def span_text(seconds: float) -> str:
    """Return a length of time in the largest unit that fits."""
    units = (("years", 31_557_600), ("days", 86_400), ("hours", 3600), ("minutes", 60))
    for name, length in units:
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {name}"
    return plural(round(seconds), "second")
