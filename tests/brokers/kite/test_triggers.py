"""Stops and targets kept as triggers: what was read is what was sent, and steps lead there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.contracts import Contract
from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.kite.triggers import (
    Cover,
    Pair,
    chunks,
    cover_of,
    steps_between,
    trigger_terms,
)
from core.errors import ConfigError
from core.orders import Role, Side

CONFIG = KiteConfig(protection="gtt", gtt_slip_percent=0.5)
CONTRACT = Contract("NIFTY-FUT", "NIFTY24SEPFUT", "12424706", "NFO", tick=0.05, lot=25.0)
LAST = 25_000.0
TICK = 0.05


@st.composite
def covers(draw):
    side = draw(st.sampled_from(Side))
    below = LAST - TICK * draw(st.integers(1, 40_000))
    above = LAST + TICK * draw(st.integers(1, 40_000))
    stop, target = (below, above) if side is Side.SELL else (above, below)
    kept = draw(st.sampled_from(["both", "stop", "target"]))
    pair = Pair(
        round(stop, 2) if kept != "target" else None,
        round(target, 2) if kept != "stop" else None,
    )
    return Cover(side, 25 * draw(st.integers(1, 72)), pair)


def as_listed(terms):
    """Return what the venue lists of what the SDK was given."""
    return wire.decode_gtt(
        {
            "id": 1,
            "type": terms["trigger_type"],
            "status": "active",
            "condition": json.loads(
                json.dumps({key: terms[key] for key in (
                    "exchange", "tradingsymbol", "trigger_values", "last_price")})
            ),
            "orders": [
                {**order, "exchange": terms["exchange"], "tradingsymbol": terms["tradingsymbol"],
                 "result": None}
                for order in terms["orders"]
            ],
        }
    )  # fmt: skip


@given(covers())
def test_what_the_venue_lists_is_read_as_what_was_sent(cover):
    terms = trigger_terms(cover, CONTRACT, LAST, CONFIG, TICK)

    assert cover_of(as_listed(terms), CONFIG, TICK) == cover
    values = terms["trigger_values"]
    assert values == sorted(values) and all(value != LAST for value in values)
    if len(values) == 2:
        assert values[0] < LAST < values[1]


@given(covers())
def test_an_order_of_a_trigger_may_be_filled_where_it_was_reached(cover):
    """Its limit lies beyond the price that set it off, for a target too."""
    terms = trigger_terms(cover, CONTRACT, LAST, CONFIG, TICK)

    for price, order in zip(terms["trigger_values"], terms["orders"], strict=True):
        beyond = (order["price"] - price) * int(cover.side)
        assert 0.0 < beyond <= price * 0.005 + TICK
        assert order["order_type"] == "LIMIT"


@given(covers(), st.floats(0.06, 50.0))
def test_a_trigger_with_another_limit_is_somebody_elses(cover, away):
    terms = trigger_terms(cover, CONTRACT, LAST, CONFIG, TICK)
    terms["orders"][-1]["price"] += away

    assert cover_of(as_listed(terms), CONFIG, TICK) is None


@pytest.mark.parametrize(
    "change",
    [{"product": "MIS"}, {"quantity": 7, "also": True}, {"transaction_type": "HOLD"}],
    ids=["product", "quantities that differ", "unreadable side"],
)
def test_triggers_of_another_kind_are_somebody_elses(change):
    terms = trigger_terms(
        Cover(Side.SELL, 25, Pair(24_900.0, 25_100.0)), CONTRACT, LAST, CONFIG, TICK
    )
    terms["orders"][0] |= change

    assert cover_of(as_listed(terms), CONFIG, TICK) is None


@given(
    st.dictionaries(st.integers(1, 99), covers(), max_size=5),
    st.lists(covers(), max_size=5),
)
def test_steps_lead_from_what_stands_to_what_shall_and_uncover_nothing(standing, wanted):
    before = dict(standing)
    steps = steps_between(standing, wanted)

    after, new = dict(standing), 1000
    deleted_yet = False
    for step in steps:
        if step.cover is None:
            deleted_yet = True
            del after[step.trigger_id]
        elif step.trigger_id is None:
            after[new], new = step.cover, new + 1
        else:
            assert after[step.trigger_id].side is step.cover.side
            after[step.trigger_id] = step.cover
        assert step.cover is None or not deleted_yet
    assert sorted(map(repr, after.values())) == sorted(map(repr, wanted))
    assert standing == before
    assert steps_between(after, wanted) == []


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_chunks_add_up_and_none_is_larger_than_one_order(amount, most):
    parts = chunks(amount, most)

    assert sum(parts) == amount
    assert all(0 < part <= most for part in parts)
    assert len(parts) == -(-amount // most)


@given(covers(), st.integers(-60_000, 60_000))
def test_a_price_is_reached_where_the_venue_would_fire(cover, ticks):
    last = round(LAST + ticks * TICK, 2)
    role = cover.pair.reached(cover.side, last)

    stop, target = cover.pair.stop, cover.pair.target
    if cover.side is Side.SELL:
        hits_stop = stop is not None and last <= stop
        hits_target = target is not None and last >= target
    else:
        hits_stop = stop is not None and last >= stop
        hits_target = target is not None and last <= target
    assert role is (Role.STOP if hits_stop else Role.TARGET if hits_target else None)


@pytest.mark.parametrize(
    ("given_settings", "said"),
    [
        ({"protection": "oco"}, "protection=oco: expected orders or gtt"),
        ({"protection": "gtt", "product": "MIS"}, "takes no trigger for MIS"),
        ({"gtt_slip_percent": 0.0}, "gtt_slip_percent=0.0: expected above 0"),
        ({"gtt_wait_secs": 0.0}, "gtt_wait_secs=0.0: expected above 0"),
        ({"gtt_look_secs": -1.0}, "gtt_look_secs=-1.0: expected above 0"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(given_settings, said):
    with pytest.raises(ConfigError, match=said):
        KiteConfig.of(given_settings)
