"""Compiled runs against Backtrader's on made-up markets that trip fill rules.

`TOLA_SWEEP_MARKETS` sets how many markets are compared (200 for a full proof).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.instruments import get_instrument
from risk.settings import RiskSettings
from tests.backtests.sweep.markets import Recipe, make_market
from tests.backtests.sweep.tables import DRAW, limits
from tests.backtests.sweep.twin import Case, compare
from tests.strategies.reference import NO_COSTS

MARKETS = int(os.environ.get("TOLA_SWEEP_MARKETS", "12"))

KINDS = {
    "breakout": ("MGC", 15, "America/New_York", 50_000.0),
    "gold_smc": ("XAUUSD", 5, "America/New_York", 100_000.0),
    "nifty_smc": ("NIFTY-FUT", 5, "Asia/Kolkata", 2_000_000.0),
}
FACTS: tuple[dict[str, Any], ...] = (
    NO_COSTS,
    {},
    {"spread": 0.3, "slippage_ticks": 2},
    {"spread": 0.0, "slippage_ticks": 1, "swap_long": 7.0, "swap_short": -2.0},
)
SEEN: Counter[str] = Counter()


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of events every 70 minutes, so that many fall on an entry's bar and on an exit's."""
    path = tmp_path_factory.mktemp("news") / "often.csv"
    first = datetime(2023, 3, 6, tzinfo=UTC)
    times = [first + timedelta(minutes=70 * number) for number in range(260)]
    rows = [
        f"{time.isoformat()},{currency},high,x" for time in times for currency in ("USD", "INR")
    ]
    path.write_text("\n".join(["time,currency,impact,name", *rows]) + "\n")
    return str(path)


recipes = st.builds(
    Recipe,
    seed=st.integers(0, 10**6),
    gaps=st.sampled_from((0.0, 0.02, 0.1)),
    flats=st.sampled_from((0.0, 0.05, 0.3)),
    equals=st.sampled_from((0.0, 0.2, 0.6)),
    holes=st.sampled_from((0.0, 0.05, 0.3)),
    coarseness=st.sampled_from((1, 5, 40)),
    days=st.integers(4, 9),
    drift=st.sampled_from((0.0, 0.0, 0.03, -0.03)),
)


def draw_case(kind: str, recipe: Recipe, chance: random.Random, news: str) -> Case:
    """Draw an account and its rules for a market. news : a file of events for some of them."""
    symbol, minutes, zone, cash = KINDS[kind]
    instrument = get_instrument(symbol, chance.choice(FACTS))
    series = make_market(recipe, instrument, minutes, date(2023, 3, 6))
    case = Case(
        kind,
        series,
        instrument,
        cash,
        limits=limits(chance, zone) if chance.random() < 0.4 else RiskSettings(daily_loss=9_000.0),
        intrabar=chance.choice(("worst", "best", "nearest")),
        limit_fill=chance.choice(("touch", "through")),
        volume_share=chance.choice((None, None, 0.05)),
    )
    if chance.random() < 0.4:
        mode = chance.choice(("tighten", "tighten", "flatten", "block"))
        often = {"news": mode, "news_file": news, "news_currencies": ("USD", "INR")}
        case = replace(case, limits=replace(case.limits or RiskSettings(), **often))
    return by_stock(case) if chance.random() < 0.25 else case


@settings(
    max_examples=MARKETS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(kind=st.sampled_from(sorted(KINDS)), recipe=recipes, seed=st.integers(0, 10**6))
def compare_a_market(kind: str, recipe: Recipe, seed: int, news: str) -> None:
    """Compare a few random sets on one made-up market."""
    chance = random.Random(seed)
    case = draw_case(kind, recipe, chance, news)
    table = [loosened(kind, DRAW[kind](chance), chance.random() < 0.6) for _ in range(2)]

    if case.fills == "backtrader":
        table = [drawn | {"legs": ""} for drawn in table]

    compared, lines = compare(case, table)

    SEEN.update({"markets": 1, case.fills: 1, "sets": len(table), "trades": compared})
    assert not lines, "\n".join(lines[:6])


def by_stock(case: Case) -> Case:
    """Return a case run by Backtrader's own fill rules."""
    return replace(
        case, fills="backtrader", intrabar="worst", limit_fill="touch", volume_share=None
    )


def loosened(kind: str, drawn: dict[str, Any], is_free: bool) -> dict[str, Any]:
    """Return a set with what keeps few bars from giving trades taken out."""
    if is_free:
        drawn |= {"max_trades_day": 0, "max_losses_row": 0, "warmup": 0, "max_spread_risk": 0.0}
    if kind == "breakout":
        return drawn | {
            "min_confidence": 0.0,
            "volume_threshold": 0.3,
            "lookback": 5,
            "cooldown": 0,
        }
    wide = {"min_risk": 0.0, "max_risk": 90.0, "risk_pct": 5.0}
    return drawn | (wide | {"killzones": (), "warmup": 0} if kind == "gold_smc" else wide)


def test_made_up_markets_give_the_trades_of_a_backtrader_run(capsys, news):
    compare_a_market(news=news)

    with capsys.disabled():
        print(f"\nmade-up markets: {dict(SEEN)}, 0 differences")
    assert SEEN["trades"]
