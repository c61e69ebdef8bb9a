"""The rules, one class each: what may be ordered, lost and held. They know no broker.

`build_rules` turns settings into rules; the guard asks them. Adding a rule: a class on `Rule`,
a field in `RiskSettings`, a line in `build_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable

from risk.rules.base import Act, Headroom, Refusal, Rule
from risk.rules.loss import Consistency, DailyLoss, LossesInRow, TrailingDrawdown
from risk.rules.orders import OppositePlans, OrderRate, PriceCollar, TradesPerDay
from risk.rules.size import OpenRisk, PositionSize, TradeRisk
from risk.rules.times import FlatBy, NewsBlackout, TradingWindow
from risk.settings import RiskSettings

__all__ = [
    "Act",
    "Consistency",
    "DailyLoss",
    "FlatBy",
    "Headroom",
    "LossesInRow",
    "NewsBlackout",
    "OpenRisk",
    "OppositePlans",
    "OrderRate",
    "PositionSize",
    "PriceCollar",
    "Refusal",
    "Rule",
    "TradeRisk",
    "TradesPerDay",
    "TradingWindow",
    "TrailingDrawdown",
    "build_rules",
    "in_order",
]

_IN_ORDER: tuple[type[Rule], ...] = (
    DailyLoss,
    TrailingDrawdown,
    TradesPerDay,
    LossesInRow,
    Consistency,
    TradingWindow,
    FlatBy,
    NewsBlackout,
    OppositePlans,
    TradeRisk,
    PositionSize,
    OpenRisk,
    PriceCollar,
    OrderRate,
)
"""Rules in the order they are asked; the first refusal is the one reported."""


_ACCOUNT_WIDE = (DailyLoss, TrailingDrawdown, Consistency, TradingWindow, FlatBy, NewsBlackout)


def build_rules(sources: Iterable[RiskSettings]) -> list[Rule]:
    """Return the rules of all sources; each holds, so the strictest does."""
    settings = list(sources)
    rules = []
    for kind in _IN_ORDER:
        for source in settings:
            rule = kind.from_settings(source)
            if rule is not None:
                rule.plan = "" if kind in _ACCOUNT_WIDE else source.plan or ""
                rules.append(rule)
    return rules


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Return rules in the order they are asked; those of one kind stay as they come."""
    return sorted(rules, key=lambda rule: _IN_ORDER.index(type(rule)))
