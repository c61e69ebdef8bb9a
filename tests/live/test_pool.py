"""Several accounts together: sums by currency, exposure, and limits that doubt works against."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from live.account_folder import AccountFolder
from live.group_limits import GOLD_OUNCES, GroupAct, GroupLimits, group_state
from live.monitor import (
    DayStatus,
    LimitStatus,
    OrderStatus,
    PositionStatus,
    SessionState,
    Status,
    to_document,
    write,
)
from live.pool import AccountPool, open_risk_of, pool_state
from tests.live.status_sample import NOW

DAY_SECS = 86_400


def long(symbol, quantity, average, stop, price=None, side="long", plan="p"):
    price = average if price is None else price
    return PositionStatus(plan, symbol, side, quantity, average, price, 0.0, stop)


def order(side, symbol="MGC", status="working", plan="p"):
    return OrderStatus("1", plan, symbol, side, "limit", 1.0, status, price=2_400.0)


def document(state=SessionState.LIVE, pnl=0.0, currency="USD", stale="", age=0, **more):
    """Return a status document as `monitor.read` does."""
    day = more.pop("day", DayStatus(pnl, 100_000.0))
    status = Status(
        "live", "v", "a", state, currency, NOW, NOW, wall_time=time.time_ns() - age * 10**9,
        equity=more.pop("equity", 100_000.0 + pnl), day=day, **more,
    )  # fmt: skip
    return {**to_document(status), "stale": bool(stale), "stale_reason": stale}


# -- together -------------------------------------------------------------------------------------


def test_money_is_summed_by_currency():
    state = pool_state({
        "topstep": document(pnl=-300.0),
        "cfd": document(pnl=120.0),
        "zerodha": document(pnl=-5_000.0, currency="INR"),
    })  # fmt: skip

    assert state.day_pnl == {"USD": -180.0, "INR": -5_000.0}
    assert state.equity == {"USD": 199_820.0, "INR": 95_000.0}
    assert state.open_risk == {"USD": 0.0, "INR": 0.0}
    assert state.unknown == {}


def test_exposure_is_told_by_symbol_long_short_and_net():
    state = pool_state({
        "a": document(positions=(long("MGC", 3, 2_400.0, 2_390.0, 2_410.0),)),
        "b": document(positions=(long("MGC", 1, 2_400.0, 2_410.0, 2_410.0, side="short"),
                                 long("XAUUSD", 0.5, 2_400.0, 2_390.0))),
    })  # fmt: skip

    mgc, spot = state.exposure

    assert (mgc.symbol, mgc.long, mgc.short, mgc.net) == ("MGC", 3, 1, 2)
    assert mgc.notional == 4 * 2_410.0 * 10
    assert (spot.symbol, spot.notional, spot.currency) == ("XAUUSD", 0.5 * 2_400 * 100, "USD")


def test_a_sum_with_an_unknown_account_in_it_is_unknown():
    state = pool_state({
        "a": document(pnl=-100.0),
        "b": document(stale="process 12 is gone", pnl=-50.0),
        "c": document(currency="INR", pnl=10.0),
        "d": "never ran here",
    })  # fmt: skip

    assert state.day_pnl == {"USD": None, "INR": 10.0}
    assert state.unknown == {"b": "process 12 is gone", "d": "never ran here"}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (document(SessionState.STARTING), "it is starting"),
        (document(SessionState.WARMING_UP), "it is warming up"),
        (document(equity=None), "its equity is not known"),
        (document(stale="not written for 60 s"), "not written for 60 s"),
        (document(SessionState.ENDED, positions=(long("MGC", 1, 1.0, 0.5),), stale="gone"),
         "its session has ended and left 1 open"),
        ({"schema": 1}, "its status cannot be understood (KeyError('mode'))"),
    ],
    ids=["starting", "warming up", "no equity", "stale", "ended with a position", "another form"],
)  # fmt: skip
def test_an_account_is_unknown_for_a_reason(found, why):
    assert pool_state({"a": found}).unknown == {"a": why}


@pytest.mark.parametrize("state", [SessionState.GAP, SessionState.PAUSED, SessionState.LOCKED,
                                   SessionState.KILLED])  # fmt: skip
def test_a_session_that_does_not_enter_is_known_all_the_same(state):
    assert pool_state({"a": document(state)}).unknown == {}


def test_a_session_that_ended_flat_is_known_and_its_day_counts_until_it_is_over():
    today = document(SessionState.ENDED, pnl=-400.0, stale="process 1 is gone", age=3_600)
    before = document(SessionState.ENDED, pnl=-400.0, stale="process 1 is gone", age=DAY_SECS + 9)

    assert pool_state({"a": today}).day_pnl == {"USD": -400.0}
    assert pool_state({"a": before}).day_pnl == {"USD": 0.0}


def test_accounts_are_read_from_their_folders(tmp_path):
    for name, mode in (("one", "live"), ("two", "paper"), ("three", "")):
        folder = AccountFolder(name, tmp_path / name)
        folder.path.mkdir()
        if mode:
            write(folder.status, Status(mode, "v", name, SessionState.LIVE, "USD", NOW, NOW,
                                        equity=1.0, day=DayStatus(1.0, 1.0)))  # fmt: skip

    everyone = AccountPool(tmp_path).state()
    real = AccountPool(tmp_path, mode="live").state()
    named = AccountPool(tmp_path, ["two"]).state()

    assert [item.name for item in everyone.members] == ["one", "three", "two"]
    assert everyone.unknown.keys() == {"three"}
    assert [item.name for item in real.members] == ["one", "three"]
    assert named.day_pnl == {"USD": 1.0}


# -- open risk ------------------------------------------------------------------------------------


def test_open_risk_is_what_is_lost_if_every_stop_is_hit():
    found = document(positions=(
        long("MGC", 3, 2_400.0, 2_392.0),
        long("XAUUSD", 0.5, 2_400.0, 2_404.0, side="short"),
        long("GC", 1, 2_400.0, 2_401.0),
    ))  # fmt: skip

    assert open_risk_of(found) == 3 * 8 * 10 + 0.5 * 4 * 100 + 0  # a stop in profit loses nothing


def test_the_sessions_own_figure_holds_where_it_tells_one():
    ruled = document(
        positions=(long("MGC", 3, 2_400.0, None),), limits=(LimitStatus("open_risk", 512.0, 900.0),)
    )

    assert open_risk_of(ruled) == 512.0
    assert open_risk_of({**ruled, "open_risk": 240.0}) == 240.0


@pytest.mark.parametrize(
    "found",
    [
        document(positions=(long("MGC", 3, 2_400.0, None),)),
        document(positions=(long("NIFTY-FUT", 65, 24_000.0, 23_900.0),)),
        document(positions=(long("UNHEARD", 1, 1.0, 0.5),)),
        document(orders=(order("buy"),)),
        document(positions=(long("MGC", 1, 2_400.0, 2_390.0),), orders=(order("buy"),)),
    ],
    ids=["no stop", "another currency", "no such instrument", "an entry works", "one that adds"],
)
def test_open_risk_that_cannot_be_reckoned_is_unknown(found):
    assert open_risk_of(found) is None


def test_stops_and_targets_of_a_position_and_held_children_open_nothing():
    found = document(
        positions=(long("MGC", 1, 2_400.0, 2_390.0),),
        orders=(order("sell"), order("buy", "GC", "held", "q")),
    )

    assert open_risk_of(found) == 100.0


# -- limits of a group ----------------------------------------------------------------------------

BOTH = ("a", "b")


def test_inside_all_limits_the_group_may_enter():
    limits = GroupLimits(BOTH, "USD", daily_loss=1_000, open_risk=500, gold_ounces=100)
    state = group_state(
        {"a": document(pnl=-300.0, positions=(long("MGC", 3, 2_400.0, 2_392.0),)),
         "b": document(pnl=-200.0)},
        limits,
    )  # fmt: skip

    assert state.may_enter and state.describe() == ""
    assert state.figures == {"daily_loss": 500.0, "open_risk": 240.0, "gold_ounces": 30.0}


def test_a_loss_of_all_together_flattens_all():
    limits = GroupLimits(BOTH, "USD", daily_loss=1_000)

    state = group_state({"a": document(pnl=-600.0), "b": document(pnl=-400.0)}, limits)

    assert state.act is GroupAct.FLATTEN
    assert state.describe() == "daily_loss: 1,000.00 against a limit of 1,000.00"


def test_what_one_account_won_stands_against_what_another_lost():
    limits = GroupLimits(BOTH, "USD", daily_loss=500)

    assert group_state({"a": document(pnl=-600.0), "b": document(pnl=200.0)}, limits).may_enter


def test_losses_in_another_currency_count_at_its_rate():
    limits = GroupLimits(BOTH, "USD", daily_loss=1_000, fx={"INR": 0.0125})
    documents = {"a": document(pnl=-600.0), "b": document(pnl=-40_000.0, currency="INR")}

    assert group_state(documents, limits).figures == {"daily_loss": 1_100.0}


def test_without_a_rate_nothing_is_entered():
    documents = {"a": document(pnl=-600.0), "b": document(pnl=40_000.0, currency="INR")}

    state = group_state(documents, GroupLimits(BOTH, "USD", daily_loss=1_000))

    assert state.act is GroupAct.BLOCK
    assert state.describe() == "daily_loss: no rate from INR to USD"
    assert state.figures == {"daily_loss": None}


def test_open_risk_and_gold_together_stop_entries():
    documents = {
        "a": document(positions=(long("MGC", 3, 2_400.0, 2_392.0),)),
        "b": document(positions=(long("XAUUSD", 0.5, 2_400.0, 2_392.0),)),
    }

    risk = group_state(documents, GroupLimits(BOTH, "USD", open_risk=640))
    gold = group_state(documents, GroupLimits(BOTH, "USD", gold_ounces=80))

    assert (risk.act, risk.figures) == (GroupAct.BLOCK, {"open_risk": 640.0})
    assert (gold.act, gold.figures) == (GroupAct.BLOCK, {"gold_ounces": 80.0})


def test_gold_is_counted_on_its_heavier_side():
    documents = {
        "a": document(positions=(long("GC", 1, 2_400.0, 2_392.0),)),
        "b": document(positions=(long("MGC", 4, 2_400.0, 2_410.0, side="short"),)),
    }

    assert group_state(documents, GroupLimits(BOTH, "USD", gold_ounces=1_000)).figures == {
        "gold_ounces": 100.0
    }


def test_a_kilogram_of_gold_is_32_troy_ounces():
    assert pytest.approx(32.1507, abs=1e-4) == GOLD_OUNCES["GOLD"]
    assert pytest.approx(3.21507, abs=1e-5) == GOLD_OUNCES["GOLDM"]


@pytest.mark.parametrize(
    "second",
    [None, "it cannot be read", document(stale="process 9 is gone"),
     document(SessionState.STARTING)],
    ids=["no status", "unreadable", "gone", "starting"],
)  # fmt: skip
def test_an_unknown_member_turns_entries_off(second):
    documents = {"a": document()} | ({"b": second} if second is not None else {})

    state = group_state(documents, GroupLimits(BOTH, "USD", daily_loss=1_000))

    assert state.act is GroupAct.BLOCK
    assert state.reasons[0].rule == "unknown" and state.reasons[0].detail.startswith("b: ")
    assert state.figures == {"daily_loss": None}


def test_a_day_whose_start_is_not_known_turns_entries_off():
    documents = {"a": document(), "b": document(day=DayStatus())}

    state = group_state(documents, GroupLimits(BOTH, "USD", daily_loss=1_000))

    assert state.describe() == "daily_loss: that of b is not known"


def test_a_loss_beyond_the_limit_flattens_though_another_account_is_unknown():
    state = group_state({"a": document(pnl=-1_200.0)}, GroupLimits(BOTH, "USD", daily_loss=1_000))

    assert state.act is GroupAct.FLATTEN


def test_accounts_outside_the_group_do_not_count():
    documents = {"a": document(), "b": document(), "c": document(pnl=-9_999.0), "d": "broken"}

    assert group_state(documents, GroupLimits(BOTH, "USD", daily_loss=1_000)).may_enter


def test_the_groups_kill_switch_flattens_whatever_the_figures():
    documents = {"a": document(), "b": document()}

    state = group_state(documents, GroupLimits(BOTH, "USD"), is_killed=True)

    assert state.act is GroupAct.FLATTEN
    assert state.reasons[0].rule == "kill"


def test_limits_that_would_limit_nothing_are_refused():
    with pytest.raises(ConfigError, match=r"daily_loss=0: .*open_risk=-1: .*members: name"):
        GroupLimits((), "USD", daily_loss=0, open_risk=-1)


PNL = st.one_of(st.none(), st.floats(-2_000, 2_000).map(lambda value: round(value, 2)))


@given(st.lists(PNL, min_size=1, max_size=5), st.floats(1, 2_000))
def test_no_figures_let_a_group_enter_beyond_its_loss_or_in_doubt(pnls, limit):
    names = tuple(f"a{number}" for number in range(len(pnls)))
    documents = {
        name: "no status" if pnl is None else document(pnl=pnl)
        for name, pnl in zip(names, pnls, strict=True)
    }

    state = group_state(documents, GroupLimits(names, "USD", daily_loss=limit))

    known = [pnl for pnl in pnls if pnl is not None]
    assert state.may_enter == (len(known) == len(pnls) and -sum(known) < limit)
    assert (state.act is GroupAct.FLATTEN) == (max(-sum(known), 0.0) >= limit)
