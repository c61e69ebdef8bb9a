"""The readings of the library smartmoneyconcepts, reproduced as ledgers from streaming rules.

Each function takes and returns DataFrames as that library does, column for column, so the two can
be compared row by row and timed side by side. A ledger is the end-of-file state of an event list
written at origin bars: it LOOKS AHEAD (a swing row is filled bars before it can be known, order
blocks that failed are erased). It is for comparison and never for trading; the causal blocks of
the parent package are. Which rows can be known when: docs of each function.
"""

from indicators.peer.blocks import ob
from indicators.peer.gaps import fvg
from indicators.peer.periods import previous_high_low, sessions
from indicators.peer.pools import liquidity
from indicators.peer.retracements import retracements
from indicators.peer.structure import bos_choch
from indicators.peer.swings import swing_highs_lows

__all__ = [
    "bos_choch",
    "fvg",
    "liquidity",
    "ob",
    "previous_high_low",
    "retracements",
    "sessions",
    "swing_highs_lows",
]
