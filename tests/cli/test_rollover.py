"""A position that is held when its contract is left: closed there, opened again in the next."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli import market

DAYS = (datetime(2024, 9, 24, 3, 45, tzinfo=UTC), datetime(2024, 9, 25, 3, 45, tzinfo=UTC),
        datetime(2024, 9, 26, 3, 45, tzinfo=UTC))  # fmt: skip
"""09:15 in Mumbai; the September future expires on the third, so the second is its last of ours."""

HOLDS = """\
import backtrader as bt


class Holds(bt.Strategy):
    params = (("size", 25.0),)

    def next(self):
        if len(self) == 40:
            price = self.data.close[0]
            self.buy_bracket(
                size=self.p.size, exectype=bt.Order.Market, stopprice=price - 300.0,
                limitprice=price + 400.0,
            )
"""


def minutes(count=60):
    found = []
    for day in DAYS:
        for number in range(count):
            when = day + timedelta(minutes=number)
            base = 25_000.0 + abs(number % 20 - 10)
            prices = (base, base + 2.5, base - 2.5, base + 1.0)
            found.append([f"{when:%Y-%m-%d %H:%M:%S}", *(f"{p:.2f}" for p in prices), "100"])
    return found


@pytest.fixture
def own(tmp_path):
    market.write(tmp_path / "NIFTY-FUT_M1.csv", minutes())
    (tmp_path / "my.py").write_text(HOLDS)
    return ["live", "--strategy", "my.py:Holds", "--data", "NIFTY-FUT_M1.csv", "--tz", "UTC",
            "--instrument", "NIFTY-FUT", "--history-bars", "25", "--no-report",
            "--for", "5m", "--venue", "kite", "--sandbox", "--at-end", "keep"]  # fmt: skip


def commands(account):
    with closing(sqlite3.connect(f"accounts/{account}/journal.sqlite")) as file:
        rows = file.execute("SELECT document FROM notes WHERE kind = 'command'").fetchall()
    told = [json.loads(row) for (row,) in rows]
    return [(row["name"], row["arguments"]) for row in told if row["name"] in ("roll", "reopen")]


def rows(name):
    with Path("runs/0001", name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("orders", ["on paper", "through the SDK"])
def test_a_position_goes_on_in_the_next_contract_with_its_stop_and_target(tola, own, orders):
    account = "sandbox" if orders == "through the SDK" else "on-paper"

    said = tola(*own, "--account", account, "--json")
    proof = tola("verify", "last", "--json")

    told = json.loads(said.out)
    assert said.code == 0, said.err
    (roll, begun), (reopen, given) = commands(account)
    assert (roll, reopen, begun) == ("roll", "reopen", given)
    assert (begun["old"], begun["new"]) == ("NIFTY24SEPFUT", "NIFTY24OCTFUT")
    assert (begun["side"], begun["quantity"]) == ("buy", 25.0)
    (trade,) = rows("trades.csv")
    assert (trade["exit_reason"], trade["quantity"]) == ("roll", "25")
    assert trade["exit_time"].startswith("2024-09-26T03:4")
    (held,) = told["plans"][0]["open_positions"]
    assert (held["quantity"], held["stop"]) == (25.0, begun["stop"])
    last = {row["role"]: row for row in rows("orders.csv")}
    assert float(last["stop"]["price"]) == begun["stop"] == 24_710.0
    assert float(last["target"]["price"]) == begun["targets"][0]["price"] == 25_410.0
    assert proof.code == 0, proof.out


@pytest.mark.parametrize(("at_roll", "left"), [("close", 0), ("keep", 1)])
def test_it_may_end_with_its_contract_or_be_only_told_of(tola, own, at_roll, left):
    Path("tola.toml").write_text(f'[live]\nat_roll = "{at_roll}"\n')

    said = tola(*own, "--account", "sandbox", "--json")

    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert len(told["plans"][0]["open_positions"]) == left
    assert len(rows("trades.csv")) == 1 - left
    assert [name for name, _ in commands("sandbox")] == (["roll", "reopen"] if not left else [])
    if left:
        assert "close it before it expires" in Path("accounts/sandbox/session.log").read_text()
    assert tola("verify", "last").code == 0
