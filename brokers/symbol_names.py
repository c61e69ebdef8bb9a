"""Which of a venue's names means a symbol of ours, at venues that write them each in its own way.

CFD brokers add endings and marks (`XAUUSD.r`, `XAUUSDm`, `#XAUUSD`, `XAU/USD`) or use another word
(`GOLD`). A name is taken only where it is the one that can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from core.errors import ConfigError, near_name

WORDS: Mapping[str, Sequence[str]] = {"XAUUSD": ("GOLD",), "XAGUSD": ("SILVER",)}
"""Other words for a symbol, tried last."""
_MARKS = re.compile(r"[^A-Z0-9]")


def find_name(symbol: str, names: Iterable[str], chosen: str | None = None) -> str:
    """Return the venue's name for a symbol: the chosen one, else the only one that fits best.

    Parameters
    ----------
    symbol : the project's. names : all the venue has. chosen : as the user's settings say.

    Raises
    ------
    ConfigError : none fits, several fit equally well, or the chosen one is not there.
    """
    known = list(dict.fromkeys(names))
    if chosen is not None:
        if chosen in known:
            return chosen
        raise ConfigError(f"{symbol}: the venue has no {chosen!r}{near_name(chosen, known)}")
    for fits in _fits(symbol, known):
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise ConfigError(
                f"{symbol}: {', '.join(sorted(fits))} could each be meant: name one in the settings"
            )
    raise ConfigError(f"{symbol}: no name of the venue's fits: name one in the settings")


def _fits(symbol: str, names: Sequence[str]) -> Iterable[list[str]]:
    """Yield the names that fit, the surest way first."""
    yield [name for name in names if name == symbol]
    for word in (symbol, *WORDS.get(symbol, ())):
        yield [name for name in names if _MARKS.sub("", name.upper()).startswith(word)]
