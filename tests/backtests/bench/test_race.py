"""Runs in processes of their own, by turns, compared bit for bit."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtests.bench.peers.job import TRADE_COLUMNS
from backtests.bench.race import Entrant, Result, difference, race
from backtests.bench.session import Session


@pytest.fixture
def session(tmp_path):
    return Session(True, tmp_path, io.StringIO())


def entrant(key, **values):
    given = {"repeats": 2, "rounds": 1} | values
    options = given.pop("options", {"pnl": 1.5})
    return Entrant(
        key, key.title(), Path(sys.executable), "tests.backtests.bench.fake_entrant",
        Path(), options, **given,
    )  # fmt: skip


def result(**values):
    trades = {name: np.array([1.0, 2.0]) for name in TRADE_COLUMNS}
    return Result(count=2, pnl=3.0, final=103.0, trades=trades, **values)


def test_entrants_run_by_turns_and_say_what_they_came_to(session):
    results = race([entrant("ours", rounds=2), entrant("peer")], session)

    lines = [line.partition("] ")[2] for line in session.stream.getvalue().splitlines()]
    assert lines == ["Ours, round 1 of 2", "Peer, round 1 of 1", "Ours, round 2 of 2"]
    assert results["ours"].final == 103.0 and results["ours"].version == "9.9"
    assert results["ours"].cold > results["ours"].wall >= 0.0
    assert difference(results["ours"], results["peer"]) == ""


def test_a_process_that_breaks_leaves_the_others_running(session):
    results = race([entrant("bad", options={"broken": True}), entrant("good")], session)

    assert "RuntimeError: no such indicator" in results["bad"].failed
    assert results["good"].failed == "" and results["good"].count == 2


@pytest.mark.parametrize("column", TRADE_COLUMNS)
def test_one_last_bit_in_any_column_is_a_difference(column):
    ours, peer = result(), result()
    ours.trades[column][1] = np.nextafter(2.0, 3.0)

    assert difference(ours, peer).startswith(f"trade 1: {column} ")


def test_another_count_or_final_value_is_a_difference():
    assert difference(replace(result(), count=3), result()) == "3 trades, the peer has 2"
    assert "final value" in difference(replace(result(), final=103.00000000000001), result())
