"""What happens to the account: our death, other hands on it, its floors and its days."""

from __future__ import annotations

import pytest

from core.orders import Side, TimeInForce
from risk.settings import RiskSettings
from tests.conformance.lab import Ability
from tests.conformance.our_side import OurSide
from tests.conformance.wire import bracketed


class Restarts:
    """Group: restart."""

    @pytest.fixture
    def our(self, lab):
        ours = OurSide(lab, journal=True).start()
        yield ours
        ours.stop()

    def test_flat_it_comes_back_flat(self, lab, our):
        our.show(lab.at(0))
        our.kill()

        our.restart()

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().orders == ()
        assert our.differences == []
        bracketed(lab, our)
        our.show(lab.at(0))
        assert our.position == lab.truth().net == our.lots(2)

    def test_armed_it_comes_back_armed_and_sends_nothing_again(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        our.kill()

        our.restart()
        again = len(lab.truth().orders)
        our.show(lab.at(0), lab.at(-21))

        assert again == (3 if our.is_native else 1)
        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

    def test_in_a_position_it_comes_back_with_its_stop(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))
        our.kill()

        our.restart()
        before = (our.position, lab.truth().stops(Side.SELL), our.working)
        our.show(lab.at(-51))

        assert before == (our.lots(2), our.lots(2), {"a.stop", "a.target"})
        assert our.position == lab.truth().net == 0
        assert our.states("a.stop")[-1] == "Completed"
        assert lab.truth().ours == []

    def test_what_was_sent_and_not_answered_when_it_died_is_there_once(self, lab, our):
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        lab.hold()
        bracketed(lab, our)
        our.kill()

        our.restart()
        our.show(lab.at(0), lab.at(0))
        our.wait(6)

        assert our.position == lab.truth().net == our.lots(2)
        assert sum(fill.quantity for fill in lab.truth().fills) == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

    def test_an_entry_that_filled_while_it_was_away_is_protected_in_time(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        our.kill()
        lab.show(lab.at(-25))
        lab.pass_time(90.0)

        our.restart()
        our.wait(6)

        assert our.states("a")[-1] == "Completed"
        assert our.position == lab.truth().net
        assert lab.truth().stops(Side.SELL) == our.position

    def test_a_stop_that_filled_while_it_was_away_is_booked(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))
        our.kill()
        lab.show(lab.at(-60))
        lab.pass_time(90.0)

        our.restart()
        our.wait(3)

        assert our.states("a.stop")[-1] == "Completed"
        assert our.states("a.target")[-1] == "Canceled"
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []
        assert len(our.broker.ledger.trades) == 1

    def test_killed_twice_it_still_knows_what_it_holds(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))
        for _ in range(2):
            our.kill()
            our.restart()
            our.show(lab.at(1))

        assert our.position == lab.truth().net == our.lots(2)
        our.do("close", "b")
        our.show(lab.at(1))
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []

    def test_a_position_closed_by_hand_while_it_was_away_is_known_to_be_gone(self, lab, our):
        lab.needs(Ability.OTHER_HAND)
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))
        self.away_closed_by_hand(lab, our)

        our.restart()
        our.wait(6)

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []

    def away_closed_by_hand(self, lab, our):
        """Let another hand close, our side dead before it hears of it."""
        lab.hand_closes()
        lab.hold()
        our.show(lab.at(0))
        our.kill()


class Hands:
    """Groups: closed by hand, half closed by hand, stop deleted, stop moved, foreign order."""

    def hold_two(self, lab, our):
        lab.needs(Ability.OTHER_HAND)
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))

    def stop_at_venue(self, lab):
        return next(order for order in lab.truth().working if order.is_stop)

    def test_closed_by_hand_leaves_no_order_and_no_position(self, lab, our):
        self.hold_two(lab, our)

        lab.hand_closes()
        our.show(lab.at(1))
        our.wait(3)

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []
        assert our.last("-")[1] == "Completed" and our.last("-")[4] == "closed_elsewhere"
        assert any("closed by another hand" in text for text in our.other_hands)

    def test_half_closed_by_hand_leaves_a_stop_for_the_other_half(self, lab, our):
        self.hold_two(lab, our)

        lab.hand_closes(our.lots(1))
        our.show(lab.at(1))
        our.wait(6)

        assert our.position == lab.truth().net == our.lots(1)
        assert lab.truth().stops(Side.SELL) == our.lots(1)
        our.show(lab.at(-51))
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []

    def test_a_stop_deleted_by_hand_is_there_again_in_five_seconds_or_all_is_closed(self, lab, our):
        self.hold_two(lab, our)

        lab.hand_cancels(self.stop_at_venue(lab).venue_order_id)
        our.settle()
        our.wait(5)

        assert lab.truth().stops(Side.SELL) == our.position == lab.truth().net
        assert our.broker.plans[0].unprotected_since is None

    def test_a_stop_that_was_put_back_ends_the_position_as_the_first_would_have(self, lab, our):
        self.hold_two(lab, our)
        lab.hand_cancels(self.stop_at_venue(lab).venue_order_id)
        our.settle()
        our.wait(5)

        our.show(lab.at(-51))

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []

    def test_a_stop_moved_by_hand_to_less_risk_stays_there(self, lab, our):
        self.hold_two(lab, our)
        our.show(lab.at(30))

        lab.hand_moves(self.stop_at_venue(lab).venue_order_id, lab.at(10))
        our.settle()
        our.wait(3)

        assert self.stop_at_venue(lab).price == lab.at(10)
        assert our.strategy.orders["a.stop"].created.price == lab.at(10)
        assert any("less risk, left there" in text for text in our.other_hands)

    def test_a_stop_moved_by_hand_to_more_risk_goes_back(self, lab, our):
        self.hold_two(lab, our)

        lab.hand_moves(self.stop_at_venue(lab).venue_order_id, lab.at(-80))
        our.settle()
        our.wait(3)

        assert self.stop_at_venue(lab).price == lab.at(-50)
        assert our.strategy.orders["a.stop"].created.price == lab.at(-50)
        assert any("more risk, restored" in text for text in our.other_hands)

    def test_a_foreign_order_is_seen_and_left_alone(self, lab, our):
        lab.needs(Ability.OTHER_HAND)
        our.show(lab.at(0))
        foreign = lab.hand_places(Side.BUY, our.lots(1), lab.at(-90))
        our.ask()

        our.control("flatten")
        our.show(lab.at(0))

        assert [order.venue_order_id for order in lab.truth().working] == [foreign]
        assert any(f"({foreign}) is not ours" in text for text in our.other_hands)
        assert our.position == 0

    def test_after_another_hand_was_seen_entries_are_paused_and_exits_are_not(self, lab, our):
        self.hold_two(lab, our)
        lab.hand_places(Side.BUY, our.lots(1), lab.at(-90))
        our.ask()

        our.do("order", "b", side="buy", size=our.lots(1))
        our.do("close", "c")
        our.show(lab.at(0))

        assert our.last("b")[1] == "Rejected"
        assert our.last("c")[1] == "Completed"
        assert our.position == 0

    def test_a_foreign_fill_counts_in_equity_and_not_in_our_position(self, lab, our):
        lab.needs(Ability.OTHER_HAND)
        our.show(lab.at(0))
        before = our.broker.getvalue()
        lab.hand_places(Side.BUY, our.lots(1))
        our.show(lab.at(0))

        our.show(lab.at(100))

        assert our.position == 0 and lab.truth().net == our.lots(1)
        assert our.broker.getvalue() - before == pytest.approx(our.worth(our.lots(1), 100))

    def test_a_position_on_a_symbol_no_plan_trades_is_named_and_left_alone(self, lab, our):
        lab.needs(Ability.FOREIGN_SYMBOL)
        our.show(lab.at(0))
        lab.hand_opens_elsewhere()
        our.ask()

        our.control("flatten")
        our.show(lab.at(0))
        our.ask()

        held = {item.symbol: item.quantity for item in our.venue_positions()}
        assert held[lab.other_symbol] != 0
        assert any(lab.other_symbol in text for text in our.other_hands)


class Flattening:
    """Group: flatten."""

    def test_flatten_ends_every_order_and_position(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))
        our.do("order", "b", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))

        our.control("flatten", reason="by_hand")
        our.show(lab.at(1), lab.at(1))

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []
        assert our.states("b")[-1] == "Canceled"
        assert our.last("-")[4] == "by_hand"

    def test_flattening_twice_closes_once(self, lab, our):
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))

        our.control("flatten")
        our.control("flatten")
        our.show(lab.at(1), lab.at(1))

        assert our.position == lab.truth().net == 0
        assert sum(fill.quantity for fill in lab.truth().fills) == 2 * our.lots(2)

    def test_flattening_while_an_entry_fills_leaves_nothing(self, lab, our):
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        lab.hold()
        our.show(lab.at(-21))

        our.control("flatten")
        lab.let_through()
        our.settle()
        our.show(lab.at(-21), lab.at(-21))
        our.wait(6)

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []


class Floors:
    """Group: guard floor."""

    LOSS = 100

    @pytest.fixture
    def our(self, lab):
        """Our side with a daily loss limit that two lots meet 100 ticks down."""
        limit = self.LOSS * lab.tick * 2 * lab.lot * lab.money_a_point
        ours = OurSide(lab, rules=(RiskSettings(daily_loss=limit),)).start()
        yield ours
        ours.stop()

    @pytest.fixture
    def held(self, lab, our):
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(2))
        our.show(lab.at(0))
        our.do("order", "b", side="buy", size=our.lots(1), kind="limit", price=lab.at(-500))
        assert our.position == our.lots(2)
        return our

    def test_a_met_floor_flattens_cancels_and_locks(self, lab, held):
        held.show(lab.at(-101))
        held.show(lab.at(-101), lab.at(-101))

        assert held.position == lab.truth().net == 0
        assert held.working == set() and lab.truth().ours == []
        assert held.guard.locked
        assert held.last("-")[4] == "daily_loss"

    def test_after_it_no_entry_is_sent_that_day(self, lab, held):
        held.show(lab.at(-101), lab.at(-101))

        held.do("order", "c", side="buy", size=held.lots(1))
        held.show(lab.at(-50))

        assert held.last("c")[1] == "Rejected"
        assert held.position == lab.truth().net == 0

    def test_above_it_nothing_happens(self, lab, held):
        held.show(lab.at(-98))

        assert held.position == lab.truth().net == held.lots(2)
        assert not held.guard.locked


class SessionEnds:
    """Group: session end."""

    def test_a_day_order_is_expired_after_the_session(self, lab, our):
        lab.needs(Ability.ENDS_SESSION)
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-90), day=True)

        lab.end_session()
        our.settle()
        our.wait(2)

        assert our.states("a")[-1] == "Expired"
        assert lab.truth().ours == [] and our.working == set()

    def test_the_end_of_a_day_order_that_is_heard_of_the_next_morning_is_its_times(self, lab, our):
        lab.needs(Ability.ENDS_SESSION)
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-90), day=True)

        lab.hold()
        lab.end_session()
        lab.let_through()
        our.settle()
        our.wait(2)
        our.ask()

        assert our.states("a")[-1] == "Expired"
        assert lab.truth().ours == [] and our.working == set()

    def test_a_position_and_its_stop_outlive_the_session(self, lab, our):
        lab.needs(Ability.ENDS_SESSION)
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0))

        lab.end_session()
        our.settle()
        if TimeInForce.GTC not in our.port.capabilities.times_in_force:
            our.wait(5)  # it ended with the day: a new one is placed when the market has opened

        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)
