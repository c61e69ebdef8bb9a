"""What a day's facts are, before its first price was heard."""

from __future__ import annotations

import numpy as np

from core.bars import BAR
from tests.brokers.live.desk import NOON, SECOND, Desk


def test_a_plan_beside_another_knows_the_day_by_the_bars_of_history():
    desk = Desk(symbol="NIFTY-FUT", plans=2)
    bar = np.zeros(1, BAR)
    bar["start"], bar["end"], bar["day"] = NOON - 300 * SECOND, NOON, 19_970

    desk.broker.finish_bar(desk.plan, bar.view(np.recarray)[0])

    assert desk.broker.plans[1].facts.lot == 25, "of September 2024, not of today"
