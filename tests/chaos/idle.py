"""A strategy that does nothing: a hand does it all."""

from __future__ import annotations

import backtrader as bt


class Idle(bt.Strategy):
    """Sees bars and lets them be."""
