"""What happens where nothing goes wrong: connection, history, prices, orders, brackets."""

from __future__ import annotations

import numpy as np
import pytest

from core.events import HistoryBars, Ticks
from core.orders import Side
from tests.conformance.lab import MINUTE, Ability
from tests.conformance.our_side import HISTORY_BARS

SIDES = pytest.mark.parametrize(("side", "way"), [("buy", 1), ("sell", -1)], ids=["long", "short"])


class Connecting:
    """Group: connect."""

    def test_a_session_stands_with_the_venues_books_read(self, lab, our):
        assert our.engine.now == lab.opens
        assert our.broker.venue_account.balance == lab.cash
        assert our.differences == [] and our.other_hands == []
        assert our.position == 0 and our.working == set()

    def test_connecting_again_tells_nothing_twice(self, lab, our):
        our.do(
            "bracket",
            side="buy",
            size=our.lots(2),
            stop=lab.at(-50),
            targets=[[our.lots(2), lab.at(50)]],
        )
        our.show(lab.at(0))

        our.port.connect()
        our.settle()

        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        assert our.position == our.lots(2) == lab.truth().net


class History:
    """Group: history."""

    def test_the_warm_up_comes_complete_in_order_and_once(self, lab, our):
        bars = our.data.bars

        assert len(bars) == HISTORY_BARS
        assert np.all(np.diff(bars["start"]) == MINUTE)
        assert int(bars["end"][-1]) == lab.opens

    def test_history_holds_completed_bars_between_the_times_asked_for(self, lab, our):
        our.show(lab.at(0))
        start, end = lab.opens - 4 * MINUTE, lab.opens + MINUTE

        our.port.request_history(99, lab.symbol, MINUTE, start, end)
        our.settle()

        pages = [event for event in our.events
                 if isinstance(event, HistoryBars) and event.request_id == 99]  # fmt: skip
        bars = np.concatenate([page.bars for page in pages])
        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert list(bars["start"]) == [start + n * MINUTE for n in range(4)]

    def test_a_symbol_nobody_knows_has_no_history_and_the_answer_says_it_is_the_last(self, our):
        our.port.request_history(98, "NO-SUCH", MINUTE, 0, our.lab.now)
        our.settle()

        (answer,) = [event for event in our.events
                     if isinstance(event, HistoryBars) and event.request_id == 98]  # fmt: skip
        assert answer.is_last and len(answer.bars) == 0


class Stream:
    """Group: stream."""

    def test_prints_become_a_bar(self, lab, our):
        our.show(lab.at(0), lab.at(7), lab.at(-4), volume=3.0)

        our.show(lab.at(2), volume=2.0)
        lab.pass_time(60.0)
        our.settle()

        expected = (lab.at(0), lab.at(7), lab.at(-4), lab.at(2))
        assert our.strategy.bars[-1][:4] == expected
        if our.port.capabilities.counts_volume:
            assert our.strategy.bars[-1][4] == 11.0

    def test_a_bar_ends_without_a_print(self, lab, our):
        our.show(lab.at(3))
        before = len(our.strategy.bars)

        lab.pass_time(59.0)
        our.settle()

        assert len(our.strategy.bars) == before + 1

    def test_each_print_is_heard_once_and_in_order(self, lab, our):
        prices = [lab.at(n) for n in (0, 1, 1, -2, 5, 5, 4)]
        our.show(*prices)

        heard = [float(price) for event in our.events if isinstance(event, Ticks)
                 for price in event.ticks["price"]]  # fmt: skip
        assert heard == prices


class Submitting:
    """Group: submit."""

    @SIDES
    def test_a_market_order_fills_once_everywhere(self, lab, our, side, way):
        our.show(lab.at(0))

        our.do("order", side=side, size=our.lots(2))
        our.show(lab.at(1))

        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        (fill,) = lab.truth().fills
        assert (fill.quantity, fill.side) == (our.lots(2), Side(way))
        assert our.position == lab.truth().net == way * our.lots(2)
        assert our.last("a")[2:4] == (way * fill.quantity, fill.price)

    @SIDES
    def test_a_limit_waits_for_its_price(self, lab, our, side, way):
        our.show(lab.at(0))
        our.do("order", side=side, size=our.lots(1), kind="limit", price=lab.at(-20 * way))

        our.show(lab.at(-10 * way))
        waiting = (our.states("a"), len(lab.truth().working), our.position)
        our.show(lab.at(-21 * way))

        assert waiting == (["Submitted", "Accepted"], 1, 0)
        assert our.states("a")[-1] == "Completed"
        assert (our.last("a")[3] - lab.at(-20 * way)) * way <= 0
        assert our.position == lab.truth().net == way * our.lots(1)

    @SIDES
    def test_a_stop_order_enters_beyond_its_price(self, lab, our, side, way):
        our.show(lab.at(0))
        our.do("order", side=side, size=our.lots(1), kind="stop", price=lab.at(20 * way))

        our.show(lab.at(19 * way))
        assert our.position == 0
        our.show(lab.at(22 * way))

        assert our.position == lab.truth().net == way * our.lots(1)

    def test_a_refused_order_is_rejected_with_the_venues_words(self, lab, our):
        lab.needs(Ability.REFUSES)
        our.show(lab.at(0))
        lab.refuse_next("price out of the day's range")

        our.do(
            "bracket",
            side="buy",
            size=our.lots(1),
            stop=lab.at(-50),
            targets=[[our.lots(1), lab.at(50)]],
        )
        our.show(lab.at(0))

        assert our.last("a")[1] == "Rejected"
        assert "price out of the day's range" in our.last("a")[4]
        assert our.working == set() and our.position == 0
        assert lab.truth().ours == []

    def test_a_refusal_for_money_is_a_margin_call(self, lab, our):
        lab.needs(Ability.REFUSES)
        our.show(lab.at(0))
        lab.refuse_next("insufficient funds")

        our.do("order", side="buy", size=our.lots(1))

        assert our.last("a")[1] == "Margin"
        assert lab.truth().ours == []


class Modifying:
    """Group: modify."""

    def test_a_moved_limit_fills_where_it_stands_now(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-40))

        our.do("modify", price=lab.at(-20))
        (order,) = lab.truth().working
        our.show(lab.at(-21))

        assert order.price == lab.at(-20)
        assert our.position == lab.truth().net == our.lots(1)
        assert len(our.states("a")) == 3

    def test_a_smaller_quantity_is_all_that_fills(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(3), kind="limit", price=lab.at(-20))

        our.do("modify", size=our.lots(2))
        our.show(lab.at(-21))

        assert our.states("a")[-1] == "Completed"
        assert our.position == lab.truth().net == our.lots(2)

    def test_a_change_of_what_is_filled_changes_nothing(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1))
        our.show(lab.at(0))

        our.do("modify", price=lab.at(-20))

        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        assert our.position == lab.truth().net == our.lots(1)


class Cancelling:
    """Group: cancel."""

    def test_a_cancelled_order_works_nowhere(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))

        our.do("cancel")
        our.show(lab.at(-30))

        assert our.states("a") == ["Submitted", "Accepted", "Canceled"]
        assert lab.truth().ours == [] and lab.truth().fills == ()
        assert our.position == 0

    def test_a_cancelled_entry_takes_its_children_along(self, lab, our):
        our.show(lab.at(0))
        our.do("bracket", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20),
               stop=lab.at(-50), targets=[[our.lots(1), lab.at(50)]])  # fmt: skip

        our.do("cancel")

        assert our.working == set()
        assert lab.truth().ours == []
        assert [our.states(name)[-1] for name in ("a", "a.stop", "a.target")] == ["Canceled"] * 3

    def test_cancelling_twice_asks_once_and_tells_once(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))

        our.do("cancel")
        our.do("cancel")

        assert our.states("a").count("Canceled") == 1


class PartialFills:
    """Group: partial fill."""

    def test_an_order_fills_in_parts_that_each_count_once(self, lab, our):
        lab.needs(Ability.PARTIAL_FILLS)
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(3), kind="limit", price=lab.at(0))

        our.show(lab.at(0), volume=our.lots(1))
        part = (our.states("a")[-1], our.position)
        our.show(lab.at(0), volume=our.lots(2))

        assert part == ("Partial", our.lots(1))
        assert our.states("a") == ["Submitted", "Accepted", "Partial", "Completed"]
        assert our.position == lab.truth().net == our.lots(3)

    def test_the_stop_covers_what_is_open_of_an_entry_filled_in_part(self, lab, our):
        lab.needs(Ability.PARTIAL_FILLS)
        our.show(lab.at(0))
        our.do(
            "bracket",
            side="buy",
            size=our.lots(3),
            stop=lab.at(-50),
            targets=[[our.lots(3), lab.at(50)]],
        )

        covered = []
        for volume in (1, 1, 1):
            our.show(lab.at(0), volume=our.lots(volume))
            covered.append((our.position, lab.truth().stops(Side.SELL)))

        assert covered == [(our.lots(n), our.lots(n)) for n in (1, 2, 3)]

    def test_a_cancelled_rest_leaves_the_part_protected(self, lab, our):
        lab.needs(Ability.PARTIAL_FILLS)
        our.show(lab.at(0))
        our.do("bracket", side="buy", size=our.lots(3), kind="limit", price=lab.at(0),
               stop=lab.at(-50), targets=[[our.lots(3), lab.at(50)]])  # fmt: skip
        our.show(lab.at(0), volume=our.lots(1))

        our.do("cancel")
        our.show(lab.at(0))

        assert our.position == lab.truth().net == our.lots(1)
        assert lab.truth().stops(Side.SELL) == our.lots(1)
        our.show(lab.at(-51))
        assert our.position == lab.truth().net == 0
        assert lab.truth().ours == []

    def test_a_target_filled_in_part_leaves_a_stop_for_the_rest(self, lab, our):
        lab.needs(Ability.PARTIAL_FILLS)
        lab.needs(Ability.STOP_BESIDE_TARGET)
        our.show(lab.at(0))
        our.do(
            "bracket",
            side="buy",
            size=our.lots(3),
            stop=lab.at(-50),
            targets=[[our.lots(3), lab.at(50)]],
        )
        our.show(lab.at(0))

        our.show(lab.at(50), volume=our.lots(1))
        assert lab.truth().stops(Side.SELL) == our.position == our.lots(2)
        our.show(lab.at(-51))

        assert our.position == lab.truth().net == 0
        assert lab.truth().ours == []


class Brackets:
    """Group: bracket."""

    @SIDES
    @pytest.mark.parametrize("ends", ["stop", "target"])
    def test_one_child_ends_the_position_and_the_other_child(self, lab, our, side, way, ends):
        size = our.lots(2)
        our.show(lab.at(0))
        our.do(
            "bracket",
            side=side,
            size=size,
            stop=lab.at(-50 * way),
            targets=[[size, lab.at(50 * way)]],
        )
        our.show(lab.at(0))
        both = (our.position, lab.truth().stops(Side(-way)), len(lab.truth().working))

        our.show(lab.at(51 * way) if ends == "target" else lab.at(-51 * way))

        other = "stop" if ends == "target" else "target"
        assert both == (way * size, size, 2)
        assert our.position == lab.truth().net == 0
        assert our.states(f"a.{ends}")[-1] == "Completed"
        assert our.states(f"a.{other}")[-1] == "Canceled"
        assert lab.truth().ours == []
        assert our.last(f"a.{ends}")[4] == ends

    @SIDES
    def test_children_of_an_entry_that_waits_do_not_work(self, lab, our, side, way):
        size = our.lots(1)
        our.show(lab.at(0))
        our.do("bracket", side=side, size=size, kind="limit", price=lab.at(-20 * way),
               stop=lab.at(-50 * way), targets=[[size, lab.at(50 * way)]])  # fmt: skip

        our.show(lab.at(51 * way))

        assert our.position == lab.truth().net == 0
        assert [order.is_stop for order in lab.truth().working] == [False]

    @SIDES
    def test_a_stop_that_its_entrys_own_price_has_passed_closes_the_position(
        self, lab, our, side, way
    ):
        size = our.lots(1)
        our.show(lab.at(0))
        our.do("bracket", side=side, size=size, kind="limit", price=lab.at(-20 * way),
               stop=lab.at(-50 * way), targets=[[size, lab.at(50 * way)]])  # fmt: skip

        our.show(lab.at(-60 * way))
        our.show(lab.at(-55 * way))

        assert our.position == lab.truth().net == 0
        assert our.states("a.stop")[-1] == "Completed"
        assert our.last("a.stop")[4] == "stop"
        assert lab.truth().ours == []

    def test_the_stop_moves_where_the_strategy_says(self, lab, our):
        size = our.lots(1)
        our.show(lab.at(0))
        our.do("bracket", side="buy", size=size, stop=lab.at(-50), targets=[[size, lab.at(90)]])
        our.show(lab.at(0), lab.at(40))

        our.do("modify", "a.stop", price=lab.at(20))
        (stop,) = [order for order in lab.truth().working if order.is_stop]
        our.show(lab.at(19))

        assert stop.price == lab.at(20)
        assert our.states("a.stop")[-1] == "Completed"
        assert our.position == lab.truth().net == 0 and lab.truth().ours == []

    def test_a_market_exit_ends_both_children(self, lab, our):
        size = our.lots(1)
        our.show(lab.at(0))
        our.do("bracket", side="buy", size=size, stop=lab.at(-50), targets=[[size, lab.at(50)]])
        our.show(lab.at(0))

        our.do("close", "b")
        our.show(lab.at(1))

        assert our.states("b")[-1] == "Completed"
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []


class Legs:
    """Group: legs."""

    @SIDES
    def test_the_first_target_shrinks_and_moves_the_stop(self, lab, our, side, way):
        self.enter_legs(lab, our, side, way)

        our.show(lab.at(31 * way))

        truth = lab.truth()
        (stop,) = [order for order in truth.working if order.is_stop]
        assert our.position == truth.net == way * our.lots(1)
        assert (stop.left, stop.price) == (our.lots(1), lab.at(5 * way))
        assert our.states("a.target")[-1] == "Completed"

    @SIDES
    @pytest.mark.parametrize("ends", ["stop", "target2"])
    def test_the_rest_leaves_by_the_moved_stop_or_the_second_target(
        self, lab, our, side, way, ends
    ):
        self.enter_legs(lab, our, side, way)
        our.show(lab.at(31 * way))

        our.show(lab.at(61 * way) if ends == "target2" else lab.at(4 * way))

        assert our.position == lab.truth().net == 0
        assert our.states(f"a.{ends}")[-1] == "Completed"
        assert our.working == set() and lab.truth().ours == []

    def test_a_stop_before_any_target_takes_all(self, lab, our):
        self.enter_legs(lab, our, "buy", 1)

        our.show(lab.at(-51))

        assert our.position == lab.truth().net == 0
        assert our.states("a.stop")[-1] == "Completed"
        assert lab.truth().ours == []

    def enter_legs(self, lab, our, side, way):
        """Two lots, half off at 30 ticks with the stop to 5, the rest at 60."""
        first = [our.lots(1), lab.at(30 * way), lab.at(5 * way)]
        second = [our.lots(1), lab.at(60 * way)]
        our.show(lab.at(0))
        our.do("bracket", side=side, size=our.lots(2), stop=lab.at(-50 * way),
               targets=[first, second])  # fmt: skip
        our.show(lab.at(0))
        assert lab.truth().stops(Side(-way)) == our.lots(2)
