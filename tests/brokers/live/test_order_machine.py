"""Whatever order a venue tells things in, and how often: one book, one position, one balance."""

import os
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.brokers.live.histories import Teller, disordered, faults, picture, play

SEQUENCES = int(os.environ.get("TOLA_EVENT_SEQUENCES", "2000"))
"""Histories in one run; 10000 take a minute or two."""


def check(seed):
    """Play one history in its own order, then in disorder; return what happened in it."""
    history = Teller(seed).history()
    expected = picture(*play(history, history.events + history.later), history)
    chance = random.Random(seed)

    desk, orders = play(history, disordered(history, chance))

    assert picture(desk, orders, history) == expected, seed
    assert faults(desk) == [], seed
    return history.marks


def test_generated_histories_end_alike_in_any_order():
    seen = Counter()
    for seed in range(SEQUENCES):
        seen.update(check(seed))

    assert min(seen.values()) >= SEQUENCES / 200, seen
    assert len(seen) == 21, sorted(seen)


@settings(max_examples=100, deadline=None)
@given(st.integers(10**6, 10**12), st.randoms(use_true_random=False))
def test_any_history_ends_alike_in_any_order(seed, chance):
    history = Teller(seed).history()
    expected = picture(*play(history, history.events + history.later), history)

    desk, orders = play(history, disordered(history, chance))

    assert picture(desk, orders, history) == expected
    assert faults(desk) == []
