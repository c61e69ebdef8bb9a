"""A little of what `make chaos` does at length: a few deaths, a few cells, a hundred timeouts."""

from __future__ import annotations

import os

import pytest

from tests.chaos.cells import FAULTS, STEPS, cells
from tests.chaos.harness import run_seed
from tests.chaos.lane import Lane
from tests.chaos.matrix import run_cell
from tests.chaos.timeouts import run_timeouts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def lane(tmp_path_factory):
    made = Lane(tmp_path_factory.mktemp("chaos"), None, "kite", count=1)
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize(("venue", "seed"), [("kite", 12), ("kite pair", 3), ("kite night", 1)])
def test_a_session_killed_with_requests_at_kite_goes_on(lane, venue, seed):
    row = run_seed(lane, seed, name=venue)

    assert (row.ok, row.detail) == (True, "")
    assert row.kills and row.in_flight and row.restarts == row.kills


@pytest.mark.parametrize(
    ("fault", "step"), [("no_answer", "place stop"), ("drop", "entry fill")], ids=lambda item: item
)
def test_a_fault_at_a_step_leaves_one_order_and_one_book(lane, fault, step):
    cell = next(cell for cell in cells() if (cell.fault, cell.step) == (fault, step))

    row = run_cell(lane, 0, cell)

    assert (row.ok, row.detail) == (True, "")


def test_orders_that_are_taken_and_never_answered_are_there_once():
    (row,) = run_timeouts(100)

    assert (row.ok, row.detail) == (True, "")


def test_each_cell_of_the_matrix_is_tried_or_says_why_not():
    found = list(cells())

    assert len(found) == len(FAULTS) * len(STEPS)
    assert all(bool(cell.plan) != bool(cell.why_not) for cell in found if cell.fault != "kill")
