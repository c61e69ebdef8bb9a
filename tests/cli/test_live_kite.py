"""`live --venue kite --sandbox`: a session through the genuine SDK on Kite's own wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli import market

SAME = (
    "entry_bar", "exit_bar", "entry_time", "exit_time", "side", "quantity", "entry_price",
    "exit_price", "pnl", "costs", "exit_reason",
)  # fmt: skip
FIRST = datetime(2024, 9, 4, 3, 45, tzinfo=UTC)
"""09:15 in Mumbai on a Wednesday; a lot of Nifty was 25."""


def minutes(days=2, count=57):
    """Return some minutes of a NIFTY future that sways, on following days, stamps in UTC."""
    found = []
    for day in range(days):
        for number in range(count):
            when = FIRST + timedelta(days=day, minutes=number)
            base = 25_000.0 + abs(number % 20 - 10)
            prices = (base, base + 2.5, base - 2.5, base + 1.0)
            found.append([f"{when:%Y-%m-%d %H:%M:%S}", *(f"{p:.2f}" for p in prices), "100"])
    return found


@pytest.fixture
def own(tmp_path):
    """A price file and a strategy, and the words that run them at a sandbox of Kite."""
    market.write(tmp_path / "NIFTY-FUT_M1.csv", minutes())
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    return ["live", "--strategy", "my.py:EveryTenth", "--data", "NIFTY-FUT_M1.csv", "--tz", "UTC",
            "--instrument", "NIFTY-FUT", "--set", "size=25", "--history-bars", "25", "--no-report",
            "--for", "5m", "--venue", "kite", "--sandbox"]  # fmt: skip


def test_paper_fills_on_kites_wire_are_proved(tola, own):
    said = tola(*own, "--json")
    proof = tola("verify", "last", "--json")

    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert (told["mode"], told["venue"], told["exit_reason"]) == ("paper", "kite", "end of data")
    assert told["bars"] == 114 and told["trades"] >= 5
    assert proof.code == 0, proof.out


@pytest.mark.parametrize("orders", ["on paper", "through the SDK"])
def test_the_trades_are_those_of_a_session_on_replayed_prices(tola, own, tmp_path, orders):
    tola(*own, *(["--account", "sandbox"] if orders == "through the SDK" else []))
    words = [word for word in own if word not in ("--venue", "kite", "--sandbox")]
    tola(*words, "--account", "replayed", "--speed", "max")

    rows = [
        [line.split(",") for line in path.read_text().splitlines()]
        for path in (tmp_path / "runs" / name / "trades.csv" for name in ("0001", "0002"))
    ]
    names = rows[0][0]
    same = [names.index(name) for name in SAME]
    wire, replayed = ([[row[place] for place in same] for row in table] for table in rows)
    assert wire == replayed and len(wire) > 5


def test_orders_go_through_the_sdk_end_flat_and_are_proved(tola, own, tmp_path):
    said = tola(*own, "--account", "sandbox", "--json")
    proof = tola("verify", "last", "--json")

    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert (told["mode"], told["venue"], told["account"]) == ("sandbox", "kite", "sandbox")
    assert told["trades"] >= 5
    assert all(plan["open_positions"] == [] for plan in told["plans"])
    assert proof.code == 0, proof.out


ENDS_INSIDE = """\
import signal
from pathlib import Path

import backtrader as bt


class EndsInside(bt.Strategy):
    def next(self):
        if len(self) == 8:
            self.buy(size=25)
        if len(self) == 11 and Path("once").exists():  # a proof runs it again
            Path("once").unlink()
            signal.raise_signal(signal.SIGINT)
"""


def test_a_session_that_ends_inside_a_bar_is_proved(tola, own, tmp_path):
    """The prices of a stream tell no spread: that of the bars before is in force."""
    (tmp_path / "my.py").write_text(ENDS_INSIDE)
    (tmp_path / "once").touch()
    words = [word for word in own if word not in ("--set", "size=25")]
    words[words.index("my.py:EveryTenth")] = "my.py:EndsInside"
    words[words.index("--history-bars") + 1] = "2"

    told = json.loads(tola(*words, "--timeframe", "5m", "--json").out)
    proof = tola("verify", "last", "--json")

    assert (told["exit_reason"], told["trades"]) == ("interrupted", 1)
    assert proof.code == 0, proof.out


def test_no_secret_is_in_anything_a_session_leaves(tola, own, tmp_path, monkeypatch):
    monkeypatch.setenv("ZERODHA_API_SECRET", "planted-api-secret")
    monkeypatch.setenv("ZERODHA_ACCESS_TOKEN", "planted-access-token")
    heard = []

    def spy(*given, **more):
        from sandbox.for_session import open_for_session

        opened = open_for_session(*given, **more)
        heard.extend([opened.credentials["access_token"], opened.credentials["api_secret"]])
        return opened

    monkeypatch.setattr("cli.sessions.open_sandbox", spy)

    said = tola(*own, "--account", "sandbox")

    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert said.code == 0 and len(heard) == 2 and len(left) > 5
    for secret in (*heard, "planted-api-secret", "planted-access-token"):
        assert secret not in said.out + said.err
        assert [path for path in left if secret.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--venue", "kite"), "set ZERODHA_API_KEY"),
        (("--venue", "kit"), "did you mean 'kite'"),
        (("--account", "sandbox"), "--sandbox starts the sandbox it is at"),
        (("--venue", "paper", "--sandbox"), "venue 'paper' has no sandbox"),
    ],
    ids=["no key", "a slip", "no sandbox", "no such sandbox"],
)
def test_what_cannot_begin_is_one_clear_line(tola, own, monkeypatch, words, said):
    for name in ("ZERODHA_API_KEY", "ZERODHA_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    words = [*own[: own.index("--venue")], *words]

    done = tola(*words)

    assert (done.code, said in done.err) == (2, True), done.err


def test_gold_of_comex_is_not_traded_at_kite(tola, tmp_path):
    market.write(tmp_path / "MGC_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)

    done = tola("live", "--strategy", "my.py:EveryTenth", "--instrument", "MGC", "--data",
                "MGC_M15.csv", "--venue", "kite", "--sandbox")  # fmt: skip

    assert (done.code, "Kite does not trade MGC" in done.err) == (2, True)
