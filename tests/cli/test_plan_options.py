"""The options that say what is run: each verb hands on those it takes, by the fields they fill."""

from __future__ import annotations

import pytest

from core.errors import ConfigError

TYPED = {
    "strategy": (["--strategy", "breakout"], "breakout"),
    "data": (["--data", "a.csv", "--data", "b.csv"], ["a.csv", "b.csv"]),
    "instrument": (["--instrument", "MGC"], "MGC"),
    "timeframe": (["--timeframe", "15m"], "15m"),
    "tz": (["--tz", "ny+7"], "ny+7"),
    "with": (["--with", "DXY=d.csv"], ["DXY=d.csv"]),
    "from": (["--from", "2025-09"], "2025-09"),
    "to": (["--to", "2025-10"], "2025-10"),
    "cash": (["--cash", "5e4"], 50_000.0),
    "params": (["--set", "rr=3", "--set", "left=2"], ["rr=3", "left=2"]),
    "risk": (["--risk", "gold_bot"], "gold_bot"),
    "intrabar": (["--intrabar", "best"], "best"),
    "fills": (["--fills", "backtrader"], "backtrader"),
    "costs": (["--no-costs"], False),
    "margin": (["--no-margin"], False),
    "instrument_set": (["--instrument-set", "lot=75"], ["lot=75"]),
    "band": (["--band"], True),
    "out": (["--out", "here"], "here"),
    "report": (["--no-report"], False),
}
PRICES = ["strategy", "data", "instrument", "timeframe", "tz", "with", "from", "to"]
TERMS = ["costs", "margin", "instrument_set"]
SEARCHED = [*PRICES, "cash", "params", "risk", "intrabar", "fills", *TERMS, "out", "report"]
TAKES = {
    "backtest": [*SEARCHED, "band"],
    "sweep": SEARCHED,
    "walkforward": SEARCHED,
    "audit": [*PRICES, "params", "risk", "report"],
    "odds": [*PRICES, "cash", "params"],
    "ready": [*PRICES, "params", "risk"],
    "live": [*PRICES, "cash", "params", "risk", *TERMS, "report"],
}


@pytest.fixture
def resolved(monkeypatch):
    """What a verb asks to be resolved; it ends there."""
    seen = {}

    def resolve(names, flags, config):
        seen.update(names=list(names), flags=dict(flags), config=config)
        raise ConfigError("far enough")

    monkeypatch.setattr("backtests.resolve.resolve", resolve)
    return seen


@pytest.mark.parametrize("verb", TAKES)
def test_a_verb_hands_on_every_option_it_takes(tola, resolved, verb):
    words = [word for field in TAKES[verb] for word in TYPED[field][0]]

    said = tola(verb, "gold", *words, "--config", "mine.toml")

    assert said.error == "error: far enough"
    assert (resolved["names"], resolved["config"]) == (["gold"], "mine.toml")
    given = {field: value for field, value in resolved["flags"].items() if value is not None}
    assert given == {field: TYPED[field][1] for field in TAKES[verb]}


@pytest.mark.parametrize("verb", TAKES)
def test_what_is_not_typed_is_left_to_settings_and_plan(tola, resolved, verb):
    tola(verb, "gold")

    assert set(resolved["flags"].values()) == {None}
