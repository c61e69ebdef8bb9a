"""Work dealt out to workers: nothing twice, nothing left out, whoever is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.search.portions import MOST_TRIES, Portions


@given(
    count=st.integers(0, 400),
    workers=st.integers(1, 5),
    late=st.integers(0, 2),
    moves=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["quick", "slow", "lost"])), max_size=300
    ),
)
@settings(max_examples=100, deadline=None)
def test_every_set_is_done_once_in_whatever_order_workers_end(count, workers, late, moves):
    portions = Portions(count, workers)
    for _ in range(late):
        portions.add_worker()
        workers += 1
    done, fatal = [], []
    steps = iter(moves)
    busy = {}
    while True:
        for worker in range(workers):
            if worker not in busy and (portion := portions.take(worker)) is not None:
                busy[worker] = portion
        if not busy:
            break
        chosen, what = next(steps, (0, "quick"))
        worker = sorted(busy)[chosen % len(busy)]
        portion = busy.pop(worker)
        if what == "lost":
            ended = portions.lost(portion)
            fatal += [] if ended is None else [ended.first]
        else:
            portions.took(worker, portion, 0.01 if what == "quick" else 1.0)
            done += range(portion.first, portion.last)

    assert sorted(done + fatal) == list(range(count))


def test_a_set_that_ends_every_worker_is_given_up_and_the_others_are_not():
    portions = Portions(40, 1)
    done, fatal, deaths = [], [], 0
    while (portion := portions.take(0)) is not None:
        if portion.first <= 17 < portion.last:
            deaths += 1
            ended = portions.lost(portion)
            fatal += [] if ended is None else [ended.first]
        else:
            portions.took(0, portion, 0.01)
            done += range(portion.first, portion.last)

    assert fatal == [17]
    assert sorted(done) == [place for place in range(40) if place != 17]
    assert MOST_TRIES <= deaths <= 2 * MOST_TRIES


def test_a_worker_whose_start_failed_is_no_mark_against_its_sets():
    portions = Portions(1, 1)
    for _ in range(10):
        portion = portions.take(0)
        assert portions.lost(portion, blamed=False) is None

    assert portions.take(0) is not None
