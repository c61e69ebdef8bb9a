"""What happens where the wire is bad: races, lost, repeated and disordered messages."""

from __future__ import annotations

import pytest

from core.orders import Side
from tests.conformance.chaos import Chaos
from tests.conformance.lab import Ability


def bracketed(lab, our, side="buy", size=None, **entry):
    """Send an entry with a stop and a target 50 ticks away."""
    way = 1 if side == "buy" else -1
    size = size or our.lots(2)
    our.do("bracket", side=side, size=size, stop=lab.at(-50 * way),
           targets=[[size, lab.at(50 * way)]], **entry)  # fmt: skip


class CancelRaces:
    """Group: cancel race."""

    def test_a_fill_that_was_first_stands_and_is_protected(self, lab, our):
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        lab.hold()
        our.show(lab.at(-21))

        our.do("cancel")
        lab.let_through()
        our.settle()
        our.show(lab.at(-21))

        assert our.states("a")[-1] == "Completed"
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

    def test_a_cancel_that_was_first_leaves_nothing(self, lab, our):
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        lab.hold()
        our.do("cancel")

        our.show(lab.at(-21))
        lab.let_through(backwards=True)
        our.settle()

        assert our.states("a")[-1] == "Canceled"
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []

    def test_a_cancel_whose_answer_is_lost_is_settled_by_the_venues_books(self, lab, our):
        lab.needs(Ability.LOSES_ANSWERS)
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))
        lab.lose_answer("cancel", stream_too=True)

        our.do("cancel")
        our.ask()
        our.wait(15)

        assert our.states("a")[-1] == "Canceled"
        assert lab.truth().ours == []

    def test_a_cancel_that_got_lost_is_asked_for_again_with_the_next_bar(self, lab, our):
        lab.needs(Ability.LOSES_REQUESTS)
        our.show(lab.at(0))
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))
        lab.lose_request("cancel")

        our.do("cancel")
        lab.pass_time(60.0)
        our.show(lab.at(0))

        assert our.states("a")[-1] == "Canceled"
        assert lab.truth().ours == []


class UnknownOutcomes:
    """Group: unknown outcome."""

    def test_an_order_whose_answer_is_lost_is_found_by_the_stream_and_sent_once(self, lab, our):
        lab.needs(Ability.LOSES_ANSWERS)
        our.show(lab.at(0))
        lab.lose_answer("submit", stream_too=False)

        bracketed(lab, our)
        our.show(lab.at(0))

        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

    def test_an_order_whose_answer_is_lost_is_found_in_the_venues_books(self, lab, our):
        lab.needs(Ability.LOSES_ANSWERS)
        our.show(lab.at(0))
        lab.lose_answer("submit", stream_too=True)

        bracketed(lab, our)
        our.wait(15)

        assert our.states("a")[-1] == "Completed"
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)
        assert sum(fill.quantity for fill in lab.truth().fills) == our.lots(2)

    def test_while_an_order_is_uncertain_no_other_entry_is_sent(self, lab, our):
        lab.needs(Ability.LOSES_ANSWERS)
        lab.needs(Ability.HOLDS)
        our.show(lab.at(0))
        lab.hold()
        lab.lose_answer("submit", stream_too=True)
        our.do("order", side="buy", size=our.lots(1), kind="limit", price=lab.at(-20))
        lab.let_through()
        lab.hold()

        our.settle()
        our.do("order", "b", side="buy", size=our.lots(1), kind="limit", price=lab.at(-30))

        assert our.last("b")[1] == "Rejected" and our.last("b")[4] == "order_uncertain"
        lab.let_through()
        our.wait(15)
        assert [order.order_id for order in lab.truth().working] == [our.id_of("a")]
        our.do("order", "c", side="buy", size=our.lots(1), kind="limit", price=lab.at(-30))
        assert our.states("c")[-1] == "Accepted"

    def test_an_order_that_never_arrived_is_rejected_and_never_sent_again(self, lab, our):
        lab.needs(Ability.LOSES_REQUESTS)
        our.show(lab.at(0))
        lab.lose_request("submit")

        bracketed(lab, our)
        soon = our.states("a")[-1]
        our.wait(15)

        assert soon == "Submitted"
        assert our.states("a")[-1] == "Rejected"
        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().orders == ()

    def test_after_an_order_that_never_arrived_entries_go_on(self, lab, our):
        lab.needs(Ability.LOSES_REQUESTS)
        our.show(lab.at(0))
        lab.lose_request("submit")
        bracketed(lab, our)
        our.wait(15)

        our.do("order", "b", side="buy", size=our.lots(1))
        our.show(lab.at(0))

        assert our.position == lab.truth().net == our.lots(1)

    @pytest.mark.parametrize("stream_too", [False, True], ids=["stream tells", "books tell"])
    def test_a_change_whose_answer_is_lost_is_known_in_the_end(self, lab, our, stream_too):
        lab.needs(Ability.LOSES_ANSWERS)
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0), lab.at(40))
        lab.lose_answer("modify", stream_too=stream_too)

        our.do("modify", "a.stop", price=lab.at(20))
        our.ask()

        assert our.strategy.orders["a.stop"].created.price == lab.at(20)
        assert [order.price for order in lab.truth().working if order.is_stop] == [lab.at(20)]

    def test_a_change_that_got_lost_leaves_the_stop_where_both_sides_know_it(self, lab, our):
        lab.needs(Ability.LOSES_REQUESTS)
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0), lab.at(40))
        lab.lose_request("modify")

        our.do("modify", "a.stop", price=lab.at(20))
        our.ask()
        our.wait(5)

        (stop,) = [order for order in lab.truth().working if order.is_stop]
        assert our.strategy.orders["a.stop"].created.price == stop.price


class Disorder:
    """Group: repeats and disorder."""

    def test_what_is_told_twice_counts_once(self, lab, our):
        lab.needs(Ability.REPEATS)
        lab.repeat_all()
        our.show(lab.at(0))
        bracketed(lab, our)
        our.show(lab.at(0), lab.at(51))

        assert our.states("a") == ["Submitted", "Accepted", "Completed"]
        assert our.states("a.target").count("Completed") == 1
        assert our.position == lab.truth().net == 0
        assert len(our.broker.ledger.trades) == 1

    @pytest.mark.parametrize("ends", [51, -51], ids=["target", "stop"])
    def test_what_is_told_backwards_ends_in_the_same_books(self, lab, our, ends):
        lab.needs(Ability.HOLDS)
        lab.needs(Ability.REORDERS)
        our.show(lab.at(0))
        lab.hold()
        bracketed(lab, our)
        our.show(lab.at(0))
        lab.let_through(backwards=True)
        our.settle()
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

        lab.hold()
        our.show(lab.at(ends))
        lab.let_through(backwards=True)
        our.settle()
        our.wait(3)

        assert our.position == lab.truth().net == 0
        assert our.working == set() and lab.truth().ours == []
        assert len(our.broker.ledger.trades) == 1

    def test_what_filled_while_the_connection_was_broken_is_booked_once_it_is_back(self, lab, our):
        lab.needs(Ability.CUTS)
        our.show(lab.at(0))
        bracketed(lab, our, kind="limit", price=lab.at(-20))
        lab.cut()
        our.show(lab.at(-21), lab.at(-22))

        lab.mend()
        our.settle()
        our.wait(6)

        assert our.states("a")[-1] == "Completed"
        assert our.position == lab.truth().net == our.lots(2)
        assert lab.truth().stops(Side.SELL) == our.lots(2)

    def test_an_order_sent_into_a_broken_connection_is_not_sent_again_when_it_is_back(
        self, lab, our
    ):
        lab.needs(Ability.CUTS)
        our.show(lab.at(0))
        lab.cut()
        our.do("order", side="buy", size=our.lots(1))
        our.show(lab.at(0))

        lab.mend()
        our.settle()
        our.wait(15)

        assert our.states("a")[-1] == "Rejected"
        assert our.position == lab.truth().net == 0
        assert lab.truth().orders == ()


class Anything:
    """Group: anything in any order, and peace after it."""

    hands, kills = True, False

    @pytest.mark.parametrize("seed", range(4))
    def test_whatever_happens_both_sides_agree_in_the_end_and_flatten_ends_it(self, lab, our, seed):
        chaos = Chaos(lab, our, seed, hands=self.hands, kills=self.kills)

        chaos.run()
        told = (our.position + our.broker.hands.held(lab.symbol), "; ".join(chaos.done))
        assert told == (pytest.approx(lab.truth().net), told[1])
        our.control("flatten")
        our.show(lab.last, lab.last)
        our.wait(15)

        assert our.position == 0 and our.working == set(), told[1]
        assert lab.truth().ours == [], told[1]
