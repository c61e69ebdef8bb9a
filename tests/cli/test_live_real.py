"""A session on a real account: everything but the money, which is a sandbox's on loopback."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from kiteconnect import KiteConnect

from core.log import forget_secrets
from tests.brokers.kite.market import KEY, SECRET, free_port, settings_text, start_box
from tests.cli import market
from tests.cli.test_live_kite import minutes
from tests.sandbox.market import day

SWAY = [(base, base + 5.0, base - 5.0, base + 1.0) for base in (25_000.0, 25_010.0, 24_990.0)]
AT_ONCE = """\
import backtrader as bt


class EveryTenth(bt.Strategy):
    params = (("size", 1.0),)
    sent = None

    def next(self):
        if not self.position and not (self.sent and self.sent[0].alive()):
            price = self.data.close[0]
            self.sent = self.buy_bracket(
                size=self.p.size, exectype=bt.Order.Market, stopprice=price - 300.0,
                limitprice=price + 300.0,
            )
"""
PLAN = """
[plans.nifty]
strategy = "my.py:EveryTenth"
instrument = "NIFTY-FUT"
timeframe = "1m"
data = "NIFTY-FUT_M1.csv"
account = "main"
risk = "nifty_intraday"
params = { size = 25 }

[accounts.main]
venue = "kite"
environment = "live"

[live]
history_bars = 25
entry_age_secs = 300
unprotected_secs = 300
at_end = "flatten"
"""


@pytest.fixture
def box():
    made = start_box(free_port(), day(SWAY * 30), speed=120.0)
    yield made
    made.stop()


@pytest.fixture
def real(tola, tmp_path, box, monkeypatch):
    """A trader's folder: settings, keys, a login of today, and the environment that lets him."""
    port = free_port()
    Path("tola.toml").write_text(settings_text(box, port) + PLAN)
    market.write(tmp_path / "NIFTY-FUT_M1.csv", minutes())
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    monkeypatch.setenv("TOLA_TOKENS_DIR", str(tmp_path / "tokens"))
    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("ZERODHA_API_KEY", KEY)
    monkeypatch.setenv("ZERODHA_API_SECRET", SECRET)
    monkeypatch.delenv("ZERODHA_ACCESS_TOKEN", raising=False)
    monkeypatch.delenv("ZERODHA_USER_ID", raising=False)
    monkeypatch.setenv("PAPER_TRADING", "False")
    monkeypatch.setenv("ZERODHA_ACCESS_TOKEN", box.login())
    yield tola
    forget_secrets()


WORDS = ("live", "--account", "main", "--confirm", "main", "--tz", "UTC", "--no-report")


def verdicts(tola):
    said = tola("verify", "last", "--json")
    return said.code, json.loads(said.out)


def test_a_session_trades_for_real_and_every_decision_is_proved(real, box, monkeypatch):
    said = real(*WORDS, "--for", "8s", "--json")
    monkeypatch.delenv("PAPER_TRADING")  # a proof trades nothing
    code, proof = verdicts(real)

    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert (told["mode"], told["venue"], told["account"]) == ("live", "kite", "main")
    assert told["trades"] >= 1
    assert "cash 1,000,000.00 INR, as Zerodha Kite tells" in said.err
    assert not Path("accounts/main/paper.sqlite").exists()
    assert (code, proof["identical"], proof["findings"]) == (0, True, [])
    assert len(proof["slippage"]) == proof["fills"] >= 2
    with closing(sqlite3.connect("accounts/main/journal.sqlite")) as file:
        booked = file.execute("SELECT venue, price, quantity FROM executions").fetchall()
    sdk = KiteConnect(KEY, root=box.url)
    sdk.set_access_token(os.environ["ZERODHA_ACCESS_TOKEN"])
    trades = [(row["average_price"], row["quantity"]) for row in sdk.trades()]
    assert sorted((price, size) for _, price, size in booked) == sorted(trades)
    assert {venue for venue, _, _ in booked} == {"kite"}

    with closing(sqlite3.connect("accounts/main/journal.sqlite")) as file, file:
        file.execute("UPDATE intents SET document = json_set(document, '$.quantity', 50.0) "
                     "WHERE intent_id = (SELECT min(intent_id) FROM intents)")  # fmt: skip
    code, proof = verdicts(real)
    assert code == 1 and "quantity 50.0 was sent, now 25.0" in proof["findings"][0]["what"]


def test_slippage_beyond_the_band_fails_the_proof(real, box):
    Path("tola.toml").write_text(Path("tola.toml").read_text() + "slippage_ticks = 4\n")
    real(*WORDS, "--for", "8s")
    with closing(sqlite3.connect("accounts/main/journal.sqlite")) as file, file:
        file.execute("UPDATE executions SET price = price + 1.0 WHERE side = 1")

    code, proof = verdicts(real)

    assert (code, proof["identical"], proof["slippage_ticks"]) == (1, True, 4.0)
    assert proof["beyond"] >= 1


def test_cash_of_the_settings_is_the_most_that_is_used(real):
    Path("tola.toml").write_text(
        Path("tola.toml").read_text().replace('venue = "kite"', 'venue = "kite"\ncash = 200_000')
    )

    said = real(*WORDS, "--for", "1s", "--json")

    assert "cash 200,000.00 of 1,000,000.00 INR, as Zerodha Kite tells" in said.err
    assert json.loads(said.out)["plans"][0]["cash_start"] == 200_000


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (("ZERODHA_ACCESS_TOKEN", "planted-dead-token"), (), "is not ready, nothing was started"),
        (("ZERODHA_ACCESS_TOKEN", ""), (), "nobody is logged in: python run.py login kite"),
        (("PAPER_TRADING", "True"), (), "set PAPER_TRADING=False"),
        (None, ("--venue", "paper"), "account main is at kite, not at paper"),
        (None, ("--sandbox",), "--sandbox has its own account"),
    ],
    ids=["a dead token", "no token", "paper alone", "another venue", "a sandbox"],
)
def test_what_cannot_begin_is_told_before_anything_is_sent(real, box, monkeypatch, change, words,
                                                            said):  # fmt: skip
    if change is not None:
        monkeypatch.setenv(*change)

    done = real(*WORDS, "--for", "5s", *words)

    assert done.code in (1, 2) and said in done.err
    assert "planted-dead-token" not in done.err
    assert not Path("accounts").exists() and not Path("runs").exists()
    assert box.call(lambda: len(box.exchange.floor.orders)) == 0


def test_a_session_does_not_leave_an_entry_without_its_stop(real, box):
    Path("tola.toml").write_text(Path("tola.toml").read_text().replace('"flatten"', '"keep"'))
    Path("my.py").write_text(AT_ONCE)
    box.add_fault("slow", on="orders.place", count=1, secs=4.0)
    box.add_fault("drop", on="order", count=2)  # nor does the stream tell of the fill

    told = json.loads(real(*WORDS, "--for", "2s", "--json").out)

    assert told["exit_reason"] == "kept open: time is up"
    assert [row["quantity"] for row in told["plans"][0]["open_positions"]] == [25.0]
    sdk = KiteConnect(KEY, root=box.url)
    sdk.set_access_token(os.environ["ZERODHA_ACCESS_TOKEN"])
    assert sorted((row["order_type"], row["status"]) for row in sdk.orders()) == [
        ("LIMIT", "OPEN"), ("MARKET", "COMPLETE"), ("SL-M", "TRIGGER PENDING"),
    ]  # fmt: skip


def test_a_session_that_keeps_its_position_goes_on_with_it(real, box):
    text = Path("tola.toml").read_text().replace('at_end = "flatten"\n', "")
    Path("tola.toml").write_text(text)
    Path("my.py").write_text(AT_ONCE)

    first = json.loads(real(*WORDS, "--for", "3s", "--json").out)
    again = real(*WORDS, "--for", "2s")

    assert first["exit_reason"] == "kept open: time is up"
    assert again.code == 0, again.err
    assert "nobody cancels its target when its stop fills" in again.out
    second = json.loads(Path("runs", "0002", "summary.json").read_text())
    kept, held = (told["plans"][0]["open_positions"] for told in (first, second))
    assert [row["entry_price"] for row in kept] == [row["entry_price"] for row in held] != []
    code, proof = verdicts(real)
    assert (code, proof["findings"], proof["orders"]) == (0, [], 3)


def test_an_account_may_name_its_contract(real, box):
    text = Path("tola.toml").read_text()
    name = 'venue = "kite"\nsymbols = { "NIFTY-FUT" = "%s" }'
    Path("tola.toml").write_text(text.replace('venue = "kite"', name % "NIFTY24OCTFUT"))
    real(*WORDS, "--for", "6s")
    sdk = KiteConnect(KEY, root=box.url)
    sdk.set_access_token(os.environ["ZERODHA_ACCESS_TOKEN"])

    assert {row["tradingsymbol"] for row in sdk.orders()} == {"NIFTY24OCTFUT"}

    Path("tola.toml").write_text(text.replace('venue = "kite"', name % "NIFTY24JANFUT"))
    said = real(*WORDS, "--for", "2s")
    assert said.code == 1 and "no contract of NIFTY-FUT (NIFTY24JANFUT)" in said.err
