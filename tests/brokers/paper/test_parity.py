"""A session on paper gives the trades of a backtest, in every field."""

from __future__ import annotations

import pytest

from risk.settings import RiskSettings
from tests.brokers.paper.runs import backtest, gold, paper, trades_of, walk

RULES = {
    "none": (),
    "floors": (RiskSettings(daily_loss=60.0, trailing_drawdown=500.0, trailing_mode="intraday"),),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("seed", range(3))
def test_a_session_on_paper_gives_the_trades_of_a_backtest(seed, rules):
    plans = [(walk(seed), gold(), {"seed": seed})]
    broker, _ = backtest(plans, rules=rules)

    built = paper(plans, rules=rules)
    built.cerebro.run()

    assert len(broker.ledger.trades) > 20
    assert trades_of(built.broker) == trades_of(broker)
    assert built.broker.getvalue() == broker.getvalue()
