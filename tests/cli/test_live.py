"""`live` and `verify` from the command line: what they print, leave, and refuse."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from tests.cli import market

LIVE_FIELDS = {
    "run", "mode", "venue", "account", "bars", "ticks", "trades", "net_profit", "refused",
    "reconnects", "gaps_filled", "missed_entries", "exit_reason", "plans", "files", "next",
}  # fmt: skip


@pytest.fixture
def own(tmp_path):
    """A price file and a strategy of the user's own, and the words that run them on paper."""
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    return ["live", "--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv", "--speed", "max",
            "--history-bars", "0", "--no-report"]  # fmt: skip


def test_a_session_to_the_end_of_the_prices_leaves_a_run_and_is_proved(tola, own, tmp_path):
    said = tola(*own)

    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "next: python run.py verify 0001"
    assert (tmp_path / "runs" / "0001" / "trades.csv").is_file()
    assert (tmp_path / "accounts").is_dir()

    proof = tola("verify", "last")
    assert proof.code == 0
    assert proof.out.startswith("IDENTICAL  200 bars")


def test_a_session_makes_the_trades_of_the_backtest(tola, own, tmp_path):
    tola(*own, "--json")
    words = ["--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv", "--no-report"]
    tola("backtest", *words, "--intrabar", "nearest")

    session, backtest = (
        (tmp_path / "runs" / name / "trades.csv").read_text().splitlines()
        for name in ("0001", "0002")
    )
    names = session[0].split(",")
    shared = [names.index(name) for name in names if name not in ("entry_time", "exit_time")]
    rows = [
        [[line.split(",")[i] for i in shared] for line in lines] for lines in (session, backtest)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 3


def test_json_is_one_object_and_progress_stays_on_stderr(tola, own):
    said = tola(*own, "--json")

    assert set(json.loads(said.out)) >= LIVE_FIELDS


def test_every_line_of_progress_says_that_it_is_paper(tola, own):
    said = tola(*own)

    lines = [line for line in said.err.splitlines() if line]
    assert lines
    assert all(line.startswith("PAPER") for line in lines)


def test_a_changed_record_fails_the_proof_and_names_the_bar(tola, own, tmp_path):
    tola(*own)
    (journal,) = tmp_path.glob("accounts/*/journal.sqlite")
    with sqlite3.connect(journal) as file:
        file.execute("UPDATE executions SET quantity = quantity + 1 WHERE rowid = 1")

    said = tola("verify", "last")

    assert said.code == 1
    assert said.out.startswith("DIFFERENT")
    assert "2025-03-" in said.out.splitlines()[1]


def test_a_backtest_cannot_be_verified(tola, own):
    words = ["--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv", "--no-report"]
    tola("backtest", *words)

    said = tola("verify", "last")

    assert said.code == 2
    assert "is a backtest" in said.error


def test_an_unknown_run_is_named_with_what_there_is(tola):
    said = tola("verify", "7")

    assert said.code == 2
    assert "7" in said.error


@pytest.mark.parametrize("text", ["soon", "0s", "-3m", "5 parsecs"])
def test_a_time_that_cannot_be_read_is_told_with_an_example(tola, own, text):
    said = tola(*own, "--for", text)

    assert said.code == 2
    assert "90s, 2m or 1h" in said.error


def test_a_run_whose_journal_is_another_now_is_not_compared_with_it(tola, own, tmp_path):
    tola(*own)
    shutil.rmtree(tmp_path / "accounts")
    tola(*own)

    said = tola("verify", "0001")

    assert said.code == 1
    assert "run 0001" in said.error
    assert "restore a copy" in said.error


def test_a_strategy_that_fails_before_the_first_bar_is_named_with_its_line(tola, own, tmp_path):
    (tmp_path / "early.py").write_text(
        "import backtrader as bt\n\n\nclass Early(bt.Strategy):\n"
        "    def __init__(self):\n        self.ratio = 1 / 0\n"
    )
    words = list(own)
    words[words.index("--strategy") + 1] = "early.py:Early"

    said = tola(*words)

    assert said.code == 1
    assert "ZeroDivisionError: division by zero at early.py:6 before the first bar" in said.err


def test_a_session_that_is_broken_off_says_what_it_may_have_left(tola, own, tmp_path):
    source = (tmp_path / "my.py").read_text()
    (tmp_path / "my.py").write_text(
        source.replace("def next(self):", "def next(self):\n        raise KeyboardInterrupt")
    )

    said = tola(*own)

    assert said.code == 1
    assert "broken off before it was flat: a position may be open; its record is kept" in said.err
    assert "python run.py live --account" in said.err


def test_an_empty_account_name_is_no_account(tola, own):
    said = tola(*own, "--account", "")

    assert (said.code, said.err) == (2, "error: --account: a name is missing\n")


def test_prices_that_have_ended_are_told_with_what_to_do(tola, own):
    tola(*own)

    said = tola(*own)

    assert said.code == 2
    last = said.err.splitlines()[-1]
    assert "end of the recorded prices" in last
    assert "--account" in last


def test_plans_of_several_accounts_are_told_apart(tola):
    said = tola("live", "gold", "nifty", "--no-report")

    assert said.code == 2
    assert "one process runs one account" in said.err


@pytest.fixture
def poorer(tola, own, tmp_path):
    """A session that ended in a position; then money left the account, and prices went on."""
    market.write(tmp_path / "XAUUSD_M15.csv", market.rows(112))
    left = tola(*own, "--at-end", "keep")
    assert left.out.startswith("kept open: end of data: 1 position open"), left
    (ledger,) = tmp_path.glob("accounts/*/paper.sqlite")
    with sqlite3.connect(ledger) as file:
        file.execute("UPDATE account SET balance = balance - 50")
    market.write(tmp_path / "XAUUSD_M15.csv")
    return own


def test_where_the_venues_books_differ_no_entry_is_taken_and_it_is_said(tola, poorer):
    said = tola(*poorer)

    assert said.code == 1
    assert "no entries were taken, the venue's books differ from ours:\n  balance: the venue " in (
        said.out
    )
    assert "--adopt accepts what the venue holds, --flatten closes what is not ours" in said.out


def test_adopt_accepts_what_the_venue_holds(tola, poorer):
    said = tola(*poorer, "--adopt")

    assert said.code == 0
    assert "differ" not in said.out


def test_what_is_not_ours_is_kept_or_closed_not_both(tola, own):
    said = tola(*own, "--adopt", "--flatten")

    assert said.code == 2
    assert "choose one" in said.error
