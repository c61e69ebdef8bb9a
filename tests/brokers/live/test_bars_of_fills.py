"""A fill belongs to the bar that holds it, whenever it is told."""

import numpy as np

from core.bars import BAR
from core.calendar import get_calendar
from tests.brokers.live.desk import NOON, Desk

MINUTE = 60 * 10**9


def starts(desk):
    return [fill.bar_start for fill in desk.broker.ledger.fills]


def test_a_fill_of_the_bar_being_traded_is_of_that_bar():
    desk = Desk()
    (order,) = desk.enter(1)

    desk.fills(desk.id_of(order), 1, 1999.0, ts_event=NOON + 2 * MINUTE)

    assert starts(desk) == [NOON]
    assert order.executed.dt == desk.plan.now_day


def test_a_fill_told_bars_later_is_of_the_bar_it_happened_in():
    desk = Desk()
    (order,) = desk.enter(1)
    bars = np.zeros(3, BAR)
    bars["start"] = NOON + np.arange(3) * 5 * MINUTE
    bars["end"] = bars["start"] + 5 * MINUTE
    desk.feeds[0].bars = bars
    desk.bar(NOON + 20 * MINUTE)

    desk.fills(desk.id_of(order), 1, 1999.0, ts_event=NOON + 7 * MINUTE)

    assert starts(desk) == [NOON + 5 * MINUTE]
    assert desk.plan.now_day > order.executed.dt


def test_a_fill_of_a_bar_no_price_has_begun_is_of_the_calendars():
    desk = Desk()
    (order,) = desk.enter(1)
    desk.feeds[0].tola_calendar = get_calendar("CMEGlobex_GC")
    desk.feeds[0].timeframe_ns = 15 * MINUTE
    quarter = NOON // (15 * MINUTE) * 15 * MINUTE + 45 * MINUTE

    desk.fills(desk.id_of(order), 1, 1999.0, ts_event=quarter + 4 * MINUTE)

    assert starts(desk) == [quarter]


def test_a_fill_without_a_time_is_of_the_bar_being_traded():
    desk = Desk()
    (order,) = desk.enter(1)
    desk.bar(NOON + 20 * MINUTE)

    desk.fills(desk.id_of(order), 1, 1999.0, ts_event=0)

    assert starts(desk) == [NOON + 20 * MINUTE]
