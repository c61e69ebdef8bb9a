"""Fills into trades: hand-worked figures."""

from __future__ import annotations

import pytest

from core.ledger import Ledger, Planned
from core.orders import Fill, Role, Side
from core.results import FILL_COLUMNS, TRADE_COLUMNS

HOUR = 3_600_000_000_000
PLANNED = Planned(entry=2000.0, stop=1990.0, target=2030.0, pattern="breaker")


def fill(
    number: int,
    side: str,
    quantity: float,
    price: float,
    *,
    role: Role = Role.EXIT,
    reason: str = "",
    costs: float = 0.0,
    plan_id: str = "gold",
    ambiguous: bool = False,
) -> Fill:
    return Fill(
        number,
        number,
        plan_id,
        "MGC",
        Side[side.upper()],
        quantity,
        price,
        number * HOUR + 1,
        number * HOUR,
        role,
        reason or role.name.lower(),
        {"commission": costs} if costs else {},
        ambiguous,
    )


def entry(number: int, side: str, quantity: float, price: float, **given: float) -> Fill:
    return fill(number, side, quantity, price, role=Role.ENTRY, **given)


def test_two_lots_half_off_at_one_r_and_the_rest_at_three() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 2, 2000.1, costs=2), point_value=10, planned=PLANNED)
    ledger.book(
        fill(2, "sell", 1, 2010.0, role=Role.TARGET, costs=1),
        point_value=10,
        adverse=-4.0,
        favourable=9.9,
    )
    trade = ledger.book(
        fill(5, "sell", 1, 2030.0, role=Role.TARGET, costs=1),
        point_value=10,
        adverse=-4.0,
        favourable=29.9,
    )

    assert trade is not None
    assert trade.pnl == pytest.approx(99 + 299 - 4)  # (2010-2000.1)*10 + (2030-2000.1)*10 - costs
    assert trade.r_multiple == pytest.approx(394 / (2 * 10 * 10))  # slippage never changes the unit
    assert (trade.mae_r, trade.mfe_r) == (pytest.approx(-0.4), pytest.approx(2.99))
    assert (trade.legs, trade.quantity, trade.exit_price) == (2, 2.0, 2020.0)
    assert (trade.entry_bar, trade.exit_bar, trade.exit_time) == (HOUR, 5 * HOUR, 5 * HOUR + 1)
    assert (trade.pattern, trade.exit_reason, trade.side) == ("breaker", "target", "long")
    assert [(item.leg, item.side) for item in ledger.fills] == [
        (0, "buy"),
        (1, "sell"),
        (2, "sell"),
    ]
    assert ledger.costs == {"commission": 4}
    assert not ledger.open


def test_a_short_earns_when_price_falls() -> None:
    ledger = Ledger()
    planned = Planned(entry=100.0, stop=102.0)

    ledger.book(entry(1, "sell", 3, 100.0), point_value=2, planned=planned)
    trade = ledger.book(fill(2, "buy", 3, 97.0, role=Role.STOP), point_value=2)

    assert trade is not None
    assert (trade.pnl, trade.r_multiple, trade.side) == (18.0, pytest.approx(1.5), "short")
    assert (trade.exit_reason, trade.target) == ("stop", None)


def test_without_a_stop_there_is_no_r() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)
    trade = ledger.book(fill(2, "sell", 1, 101.0), point_value=1)

    assert trade is not None
    assert (trade.r_multiple, trade.mae_r, trade.mfe_r) == (None, None, None)


def test_a_reversal_ends_one_trade_and_begins_the_next() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)
    trade = ledger.book(entry(2, "sell", 3, 104.0, costs=3.0), point_value=1)

    assert trade is not None
    assert trade.exit_reason == "opposite"
    assert trade.pnl == pytest.approx(4 - 1)  # a third of the fill's costs
    (open_trade,) = ledger.open.values()
    assert (open_trade.side, open_trade.open_quantity, open_trade.costs) == ("short", 2.0, 2.0)


def test_adding_to_a_position_averages_its_price() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)
    ledger.book(entry(2, "buy", 3, 104.0), point_value=1)
    trade = ledger.book(fill(3, "sell", 4, 105.0), point_value=1)

    assert trade is not None
    assert (trade.entry_price, trade.pnl, trade.legs) == (103.0, pytest.approx(8.0), 1)


def test_lot_steps_leave_no_dust_behind() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 1.87, 1875.413), point_value=100, planned=PLANNED)
    for number, part in enumerate((0.62, 0.62, 0.63)):
        trade = ledger.book(fill(2 + number, "sell", part, 1872.73), point_value=100)

    assert trade is not None
    assert (trade.quantity, trade.entry_price, trade.exit_price) == (1.87, 1875.413, 1872.73)
    assert not ledger.open


def test_swap_belongs_to_the_open_trade() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)

    ledger.charge("gold", "MGC", "swap", 7.5, time=3_000)
    trade = ledger.book(fill(2, "sell", 1, 110.0), point_value=1)

    assert trade is not None
    assert (trade.pnl, trade.costs) == (2.5, 7.5)
    assert ledger.costs == {"swap": 7.5}


def test_ambiguity_sticks_to_the_trade_that_was_open() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)

    ledger.flag_ambiguous("gold", "MGC")
    first = ledger.book(fill(2, "sell", 1, 101.0), point_value=1)
    ledger.book(entry(3, "buy", 1, 100.0), point_value=1)
    second = ledger.book(fill(4, "sell", 1, 101.0), point_value=1)

    assert first is not None
    assert second is not None
    assert (first.ambiguous, second.ambiguous) == (True, False)


def test_plans_on_one_symbol_have_trades_of_their_own() -> None:
    ledger = Ledger()

    ledger.book(entry(1, "buy", 1, 100.0, plan_id="a"), point_value=1)
    ledger.book(entry(1, "sell", 1, 100.0, plan_id="b"), point_value=1)
    trade = ledger.book(fill(2, "sell", 1, 103.0, plan_id="a"), point_value=1)

    assert trade is not None
    assert (trade.plan_id, trade.pnl) == ("a", 3.0)
    assert list(ledger.open) == [("b", "MGC")]


def test_open_positions_are_listed_marked_and_not_counted() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "sell", 2, 100.0, costs=1.0), point_value=5, planned=Planned(stop=104.0))

    (row,) = ledger.open_positions({("gold", "MGC"): (98.0, 5)})

    assert ledger.trades == []
    assert (row["side"], row["open_pnl"], row["costs"], row["stop"]) == ("short", 20.0, 1.0, 104.0)
    assert row["entry_time"] == "1970-01-01T01:00:00.000000001Z"


def test_each_leg_is_turned_into_account_money_at_its_own_rate() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "buy", 2, 100.0), point_value=10, planned=Planned(100.0, 95.0))
    ledger.book(fill(2, "sell", 1, 104.0), point_value=12)

    (row,) = ledger.open_positions({("gold", "MGC"): (103.0, 15)})
    trade = ledger.book(fill(3, "sell", 1, 103.0), point_value=15)

    assert (row["realised"], row["open_pnl"]) == (48.0, 45.0)
    assert trade is not None
    assert trade.pnl == 48.0 + 45.0
    assert trade.r_multiple == 93.0 / (2 * 5 * 10)


def test_bars_extremes_serve_where_no_path_is_followed() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "sell", 1, 100.0), point_value=1, planned=Planned(100.0, 102.0))

    ledger.mark("gold", "MGC", 97.0, 101.0)
    trade = ledger.book(fill(2, "buy", 1, 98.0), point_value=1)

    assert trade is not None
    assert (trade.mae_r, trade.mfe_r) == (-0.5, 1.5)


def test_rows_hold_the_columns_of_the_run_folder() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "buy", 1, 100.0), point_value=1)
    trade = ledger.book(fill(2, "sell", 1, 101.0), point_value=1)

    assert trade is not None
    assert set(TRADE_COLUMNS) <= set(trade.row())
    assert set(FILL_COLUMNS) <= set(ledger.fills[0].row())
    assert trade.row()["entry_bar"] == "1970-01-01T01:00:00Z"


def test_a_fill_keeps_its_order_its_charges_by_kind_and_what_it_realised() -> None:
    ledger = Ledger()
    ledger.book(entry(1, "buy", 1, 100.0, costs=1.0), point_value=10)
    ledger.charge("gold", "MGC", "swap", 7.5, time=3_000)

    ledger.book(entry(2, "sell", 3, 104.0, costs=6.0), point_value=12)

    assert [(row.order_id, row.leg, row.gross, row.point_value) for row in ledger.fills] == [
        (1, 0, 0.0, 10), (2, 1, 48.0, 12), (2, 0, 0.0, 12),
    ]  # fmt: skip
    assert [dict(row.charges) for row in ledger.fills] == [
        {"commission": 1.0}, {"commission": pytest.approx(2.0)}, {"commission": pytest.approx(4.0)}
    ]  # fmt: skip
    (night,) = ledger.holding
    assert (night.trade_id, night.kind, night.money, night.time) == (1, "swap", 7.5, 3_000)
