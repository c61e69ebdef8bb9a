"""Positions whose stop and target are triggers at the venue, over real sockets with the SDK."""

from __future__ import annotations

import json

import pytest

from core.orders import Side
from tests.brokers.kite.lab import USER, TriggerLab
from tests.conformance.our_side import OurSide
from tests.conformance.wire import bracketed


@pytest.fixture
def lab(tmp_path):
    made = TriggerLab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def our(lab):
    ours = OurSide(lab, journal=True).start()
    yield ours
    ours.stop()


def active(lab):
    return [gtt for gtt in lab.box.call(lab.box.face.triggers.all, USER) if gtt.status == "active"]


def orders_of_triggers(lab):
    """Return the orders that carry no tag of the broker's."""
    rows = lab.box.call(lab.box.ledger.rows, "orders")
    return [row for row in rows if not row["tag"].startswith("lab-")]


def held(lab, our, side="buy", **more):
    our.show(lab.at(0))
    bracketed(lab, our, side, **more)
    our.show(lab.at(0))


def test_a_filled_entry_has_one_trigger_with_both_prices(lab, our):
    held(lab, our)

    (gtt,) = active(lab)
    assert gtt.type == "two-leg"
    assert gtt.trigger_values == (lab.at(-50), lab.at(50))
    assert [order["quantity"] for order in gtt.orders] == [50, 50]
    assert {order["transaction_type"] for order in gtt.orders} == {"SELL"}
    assert our.broker.plans[0].unprotected_since is None


def test_the_position_counts_as_unprotected_until_its_trigger_stands(lab, our):
    our.show(lab.at(0))
    lab.box.add_fault("status", on="gtt.place", status=400, error="InputException", text="no GTT")
    bracketed(lab, our)
    our.show(lab.at(0))

    assert our.position == our.lots(2) and active(lab) == []
    assert our.broker.plans[0].unprotected_since is not None
    our.wait(12)
    our.show(lab.at(0), lab.at(0))
    assert our.position == lab.truth().net == 0, "what cannot be protected is closed"


def test_a_trigger_whose_placing_was_not_answered_stands_once(lab, our):
    our.show(lab.at(0))
    lab.box.add_fault("status", on="gtt.place", count=1, status=502, error="html", handled=True)
    bracketed(lab, our)
    our.show(lab.at(0))

    (gtt,) = active(lab)
    assert gtt.orders[0]["quantity"] == 50


def test_what_stands_twice_is_taken_down_to_once(lab, our):
    held(lab, our)
    (gtt,) = active(lab)
    form = {
        "type": gtt.type,
        "condition": json.dumps(
            {"exchange": gtt.exchange, "tradingsymbol": gtt.tradingsymbol,
             "trigger_values": list(gtt.trigger_values), "last_price": lab.last}
        ),
        "orders": json.dumps([{k: v for k, v in row.items() if k != "result"}
                              for row in gtt.orders]),
    }  # fmt: skip
    lab.box.call(lab.box.face.triggers.add, USER, form)
    assert len(active(lab)) == 2

    our.ask()

    assert len(active(lab)) == 1


@pytest.mark.parametrize("ends", ["stop", "target"])
def test_the_trades_reason_is_the_trigger_that_fired(lab, our, ends):
    held(lab, our)

    our.show(lab.at(-51 if ends == "stop" else 51))

    assert our.position == lab.truth().net == 0
    assert our.last(f"a.{ends}")[1:2] == ("Completed",)
    assert our.broker.ledger.trades[-1].exit_reason == ends
    assert our.other_hands == []


def test_what_a_trigger_placed_and_nobody_took_goes_to_market(lab, our):
    """A target fills in part, then the price falls away: no stop stands, so that its order must."""
    our.show(lab.at(0))
    bracketed(lab, our, size=our.lots(3))
    our.show(lab.at(0))
    our.show(lab.at(50), volume=our.lots(1))

    our.show(lab.at(50))
    until = 200
    while our.position and until:
        lab.rest()
        our.show(lab.at(-4000))
        until -= 1

    assert our.position == lab.truth().net == 0
    assert active(lab) == []
    assert our.broker.ledger.trades[-1].exit_reason == "target"


def test_an_exit_at_market_takes_its_trigger_down_first(lab, our):
    held(lab, our)

    our.do("close", "b")
    lab.rest()
    before_the_fill = (lab.truth().net, len(active(lab)))
    our.show(lab.at(0))

    assert before_the_fill == (our.lots(2), 0)
    assert our.position == lab.truth().net == 0
    our.show(lab.at(-80), lab.at(80))
    assert lab.truth().net == 0 and orders_of_triggers(lab) == []


def test_part_of_a_position_that_leaves_at_market_leaves_a_trigger_for_the_rest(lab, our):
    held(lab, our)

    our.do("order", "b", side="sell", size=our.lots(1), reduces=True)
    our.show(lab.at(0))

    (gtt,) = active(lab)
    assert {order["quantity"] for order in gtt.orders} == {25}
    assert our.position == our.lots(1)


def test_a_position_above_the_freeze_quantity_has_several_triggers(lab, our):
    held(lab, our, size=our.lots(100))

    sizes = sorted(gtt.orders[0]["quantity"] for gtt in active(lab))
    assert sum(sizes) == 2500 and sizes[-1] <= 1800 and len(sizes) == 2
    our.show(lab.at(-51), lab.at(-51))
    assert our.position == lab.truth().net == 0 and active(lab) == []


def test_a_second_bracket_beside_one_that_is_open_is_refused_and_says_why(lab, our):
    held(lab, our)

    our.do("bracket", "b", side="buy", size=our.lots(1), stop=lab.at(-30),
           targets=[[our.lots(1), lab.at(70)]])  # fmt: skip
    our.show(lab.at(0))

    assert our.last("b")[1] == "Rejected"
    assert our.position == our.lots(2) and len(active(lab)) == 1


def test_a_hands_own_trigger_is_left_alone(lab, our):
    held(lab, our)
    lab.box.call(
        lab.box.face.triggers.add, USER,
        {
            "type": "single",
            "condition": json.dumps(
                {"exchange": "NFO", "tradingsymbol": lab.contract.split(":")[1],
                 "trigger_values": [lab.at(-900)], "last_price": lab.last}
            ),
            "orders": json.dumps([
                {"exchange": "NFO", "tradingsymbol": lab.contract.split(":")[1],
                 "transaction_type": "BUY", "quantity": 25, "order_type": "LIMIT",
                 "product": "NRML", "price": lab.at(-890)}
            ]),
        },
    )  # fmt: skip

    our.ask()
    our.do("close", "b")
    our.show(lab.at(0))
    our.ask()

    assert [gtt.orders[0]["transaction_type"] for gtt in active(lab)] == ["BUY"]


def test_a_stop_fires_while_we_are_dead_and_is_booked_as_the_stop(lab, our):
    held(lab, our)
    our.kill()
    lab.show(lab.at(-51))
    lab.show(lab.at(-51))
    assert lab.truth().net == 0

    our.restart()
    our.wait(3)

    assert our.position == 0
    assert our.states("a.stop")[-1] == "Completed"
    assert our.broker.ledger.trades[-1].exit_reason == "stop"
    assert our.working == set()


def test_a_position_is_protected_overnight_and_the_next_day_goes_on(lab, our):
    held(lab, our)
    (before,) = active(lab)

    lab.end_session()
    our.settle()
    our.ask()

    (after,) = active(lab)
    assert (after.id, after.trigger_values) == (before.id, before.trigger_values)
    assert our.position == lab.truth().net == our.lots(2)
    assert [row for row in lab.truth().working if row.order_id] == []
    our.show(lab.at(51))
    assert our.position == lab.truth().net == 0
    assert our.broker.ledger.trades[-1].exit_reason == "target"


def test_a_stop_that_is_passed_before_it_could_stand_leaves_at_market_once(lab, our):
    our.show(lab.at(0))
    lab.box.add_fault("slow", on="gtt.place", count=1, secs=0.3)
    bracketed(lab, our, kind="limit", price=lab.at(-20))
    our.show(lab.at(-60))
    our.show(lab.at(-70))
    our.wait(6)
    our.show(lab.at(-70))

    assert our.position == lab.truth().net == 0
    assert lab.truth().stops(Side.SELL) == 0
    fills = lab.truth().fills
    assert sum(fill.quantity for fill in fills if fill.side is Side.SELL) == our.lots(2)
    assert our.states("a.stop")[-1] == "Completed"
