"""The order book: what is heard of orders in any order, any number of times."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.orders import KnownOrder, OrderBook, heard_of
from core.events import Answer, Execution, OrderStatus, OrderUpdate, Outcome, Verb
from core.orders import Side

S = OrderStatus


def told(status, venue="v1", **more):
    return OrderUpdate(status, venue, **more)


def fill(fill_id, quantity, price=100.0, venue="v1", **more):
    return Execution(fill_id, venue, "MGC", Side.BUY, quantity, price, **more)


def answer(outcome, order_id="1", venue="v1", verb=Verb.SUBMIT):
    return Answer(1, verb, outcome, order_id, venue)


def book_of(events):
    book = OrderBook()
    for event in events:
        book.hear(event)
    return book


def picture(book):
    return sorted(map(repr, book))


quantities = st.integers(1, 5).map(float)
venue_ids = st.sampled_from(["v1", "v2", "v3"])
our_ids = {"v1": "1", "v2": "2", "v3": ""}


@st.composite
def events(draw):
    venue = draw(venue_ids)
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return told(
            draw(st.sampled_from(list(S))), venue, filled=draw(quantities),
            quantity=draw(st.none() | quantities), price=draw(st.none() | quantities),
            version=draw(st.integers(0, 3)), reason=draw(st.sampled_from(["", "margin"])),
        )  # fmt: skip
    if kind == 1:
        number = draw(st.integers(1, 4))
        return fill(f"{venue}-{number}", float(number), 100.0 + number, venue)
    verb = draw(st.sampled_from(list(Verb)))
    ours = our_ids[venue]
    if not ours:
        return told(S.WORKING, venue)
    return answer(draw(st.sampled_from(list(Outcome))), ours, venue if kind == 2 else "", verb)


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_end_in_the_same_book(told_once, chance):
    again = told_once + chance.choices(told_once, k=len(told_once)) if told_once else []
    chance.shuffle(again)

    assert picture(book_of(again)) == picture(book_of(told_once))


def test_ten_thousand_disordered_streams_of_a_whole_order_end_alike():
    stream = [
        answer(Outcome.ACCEPTED),
        told(S.RECEIVED, quantity=3.0, price=99.0),
        told(S.WORKING, quantity=3.0, price=99.0, version=1),
        told(S.WORKING, quantity=3.0, price=98.5, version=2),
        fill("a", 1.0, 98.5),
        told(S.WORKING, filled=1.0),
        fill("b", 2.0, 98.4),
        told(S.FILLED, filled=3.0),
    ]
    expected = picture(book_of(stream))
    chance = random.Random(7)
    seen = set()
    for _ in range(10_000):
        shuffled = stream + chance.choices(stream, k=chance.randrange(5))
        chance.shuffle(shuffled)
        seen.add(tuple(picture(book_of(shuffled))))

    assert seen == {tuple(expected)}
    (order,) = book_of(stream)
    assert (order.filled, order.is_filled, order.is_over) == (3.0, True, True)
    assert abs(order.average_price - (98.5 + 2 * 98.4) / 3) < 1e-12
    assert order.price == (2, 98.5)


@settings(max_examples=200, deadline=None)
@given(events(), events(), events())
def test_joining_is_commutative_associative_and_idempotent(a, b, c):
    x, y, z = heard_of(a), heard_of(b), heard_of(c)

    assert x.join(y) == y.join(x)
    assert x.join(y).join(z) == x.join(y.join(z))
    assert x.join(x) == x
    assert KnownOrder().join(x) == x


def test_a_status_that_comes_late_does_not_take_an_order_back():
    book = book_of([told(S.CANCELLED, quantity=1.0), told(S.WORKING)])

    assert book.at_venue("v1").status is S.CANCELLED


def test_an_order_is_filled_when_its_executions_have_come_not_when_it_is_called_so():
    book = book_of([told(S.FILLED, quantity=2.0, filled=2.0), fill("a", 1.5)])
    order = book.at_venue("v1")
    assert (order.is_over, order.missing) == (False, 0.5)

    book.hear(fill("b", 0.5))
    assert book.at_venue("v1").is_over


def test_a_fill_counts_though_the_order_was_cancelled():
    order = book_of([told(S.CANCELLED, quantity=2.0, filled=1.0), fill("a", 1.0)]).at_venue("v1")

    assert (order.filled, order.is_over, order.is_filled) == (1.0, True, False)


def test_a_sign_of_life_outranks_a_refused_sending():
    book = book_of([answer(Outcome.REFUSED, venue=""), told(S.WORKING, order_id="1")])
    order = book.ours("1")
    assert (order.status, order.is_over) == (S.WORKING, False)

    assert order.lives_though_refused


def test_a_fill_of_a_refused_order_makes_it_live():
    order = book_of([answer(Outcome.REFUSED, venue=""), fill("a", 1.0, order_id="1")]).ours("1")

    assert (order.status, order.filled) == (S.WORKING, 1.0)


def test_an_unanswered_order_is_uncertain_until_anything_is_heard_of_it():
    book = book_of([answer(Outcome.UNKNOWN, venue="")])
    assert [order.order_id for order in book.uncertain()] == ["1"]

    book.hear(told(S.WORKING, order_id="1"))
    assert book.uncertain() == []


def test_what_came_before_the_answer_is_not_foreign_any_more_after_it():
    book = book_of([told(S.WORKING, quantity=1.0), fill("a", 1.0)])
    assert len(book.foreign()) == 1

    before, now = book.hear(answer(Outcome.ACCEPTED))

    assert book.foreign() == [] and len(book) == 1
    assert before.filled == now.filled == 1.0
    assert book.ours("1") is book.at_venue("v1")


def test_an_answer_to_a_change_says_nothing_of_the_sending():
    book = book_of([answer(Outcome.ACCEPTED), answer(Outcome.REFUSED, verb=Verb.CANCEL)])

    assert book.ours("1").status is S.RECEIVED


def test_more_executed_than_ordered_shows():
    order = book_of([told(S.WORKING, quantity=1.0), fill("a", 1.0), fill("b", 1.0)])

    assert order.at_venue("v1").is_overfilled


def test_the_telling_of_a_fill_with_costs_wins():
    order = book_of([fill("a", 1.0), fill("a", 1.0, costs={"commission": 2.0})]).at_venue("v1")

    assert order.filled == 1.0 and order.executions[0].costs == {"commission": 2.0}
