"""`why` from the command line, on bundled plans and on a user's own strategy."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import run
from tests.cli import market


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """A folder in which the two bundled plans were run once."""
    folder = tmp_path_factory.mktemp("why")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run.main(["backtest", "--no-report", "--quiet"]) == 0
    return folder


@pytest.fixture
def why(bundled, tola, monkeypatch):
    """Call `why` in that folder."""
    monkeypatch.chdir(bundled)
    return lambda *words: tola("why", *words)


def local(stamp, zone):
    return f"{pd.Timestamp(stamp).tz_convert(zone):%Y-%m-%d %H:%M}"


@pytest.fixture
def setups(bundled):
    return pd.read_csv(bundled / "runs/0001/setups.csv")


def test_without_a_time_it_tells_the_funnel_and_the_last_refused_setup(why, setups):
    said = why()

    refused = setups[(setups["plan_id"] == "gold") & setups["reason"].notna()].iloc[-1]
    assert said.code == 0
    assert "most are lost from " in said.out
    assert "shown is the last refused setup" in said.out
    assert f"bar {local(refused['bar'], 'America/New_York')} to " in said.out
    assert "(also in this run: --plan nifty)" in said.out
    assert said.out.splitlines()[-1].startswith("next: python run.py why 0001 ")
    assert "note:" not in said.out


@pytest.mark.parametrize(
    ("plan", "zone"), [("gold", "America/New_York"), ("nifty", "Asia/Kolkata")]
)
def test_every_setup_of_the_run_is_found_again_at_its_bar(why, setups, plan, zone):
    mine = setups[setups["plan_id"] == plan]
    row = mine.iloc[len(mine) // 2]

    document = json.loads(why("last", local(row["bar"], zone), "--plan", plan, "--json").out)

    assert document["differs"] == []
    assert [setup["entry"] for setup in document["bar"]["setups"]] == [row["entry"]]
    assert document["bar"]["start"] == row["bar"]
    assert {"levels", "zones", "patterns", "filters", "events", "news"} <= set(document["bar"])


def test_a_filled_entry_is_told_at_its_bar_and_the_position_after_it(why, bundled):
    trades = pd.read_csv(bundled / "runs/0001/trades.csv")
    trade = trades[(trades["plan_id"] == "gold") & (trades["entry_bar"] < trades["exit_bar"])].iloc[
        0
    ]
    time = local(trade["entry_bar"], "America/New_York")

    bar = json.loads(why("1", *time.split(), "--json").out)["bar"]

    assert [fill["price"] for fill in bar["fills"]] == [trade["entry_price"]]
    assert bar["position"]["side"] == trade["side"]
    assert bar["entries_today"] >= 1


def test_a_taken_setup_tells_when_its_entry_was_filled(why, bundled, setups):
    trades = pd.read_csv(bundled / "runs/0001/trades.csv")
    trade = trades[trades["plan_id"] == "gold"].iloc[0]
    taken = setups[(setups["plan_id"] == "gold") & setups["taken"].eq(1) & setups["cancel"].isna()]
    row = taken.iloc[0]

    said = why("last", local(row["bar"], "America/New_York"))

    assert f": sent, filled at {trade['entry_price']:g}" in said.out
    assert "nothing more: it was filled" in said.out


def test_a_date_lists_the_bars_of_that_trading_day_with_what_stopped_each(why, setups, bundled):
    row = setups[setups["plan_id"] == "nifty"].iloc[0]
    day = local(row["bar"], "Asia/Kolkata")[:10]

    document = json.loads(why(day, "--plan", "nifty", "--json").out)
    text = why(day, "--plan", "nifty").out

    bars = pd.read_parquet(bundled / "runs/0001/bars-nifty.parquet")
    number = pd.Timestamp(day).value // 86_400_000_000_000
    assert len(document["bars"]) == (bars["day"] == number).sum()
    assert all(bar["stopped"] or bar["setups"] for bar in document["bars"])
    assert f"trading day {day}" in text
    assert f"{row['pattern']}" in text


def test_a_clock_time_is_of_the_last_day(why, bundled):
    bars = pd.read_parquet(bundled / "runs/0001/bars-nifty.parquet")
    last = pd.Timestamp(bars["start"].iloc[-1], tz="UTC").tz_convert("Asia/Kolkata")

    said = why("10:00", "--plan", "nifty")

    assert f"bar {last:%Y-%m-%d} 10:00 to 10:05" in said.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["last", "25:70"], "TIME '25:70': expected"),
        (["last", "yesterday"], "TIME 'yesterday': expected"),
        (["last", "1999-01-04"], "no bar of that trading day; near it"),
        (["last", "1999-01-04 10:00"], "no bar there (America/New_York); near it"),
        (["--plan", "silver"], "--plan silver: runs/0001 holds gold, nifty"),
        (["77"], "unknown run '77'"),
    ],
)
def test_what_cannot_be_found_is_one_line_with_the_remedy(why, words, text):
    said = why(*words)

    assert said.code == 2
    assert text in said.error


def test_changed_code_and_a_changed_price_file_are_said(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    tola("backtest", "breakout", "--data", "XAUUSD_M15.csv", "--no-report")
    path = Path("runs/0001/run.json")
    path.write_text(path.read_text().replace('"code_version": "', '"code_version": "old-'))
    with Path("XAUUSD_M15.csv").open("a") as stream:
        stream.write("\n")

    out = tola("why").out

    assert "note: the code has changed since the run" in out
    assert "has changed since the run; the run's own bars are used" in out


def test_a_plain_strategy_is_told_its_refused_order_and_what_can_be_known(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    tola("backtest", "--strategy", "my.py:EveryTenth", "--data", "XAUUSD_M15.csv",
         "--risk", "gold_bot", "--no-report")  # fmt: skip

    said = tola("why")

    assert said.code == 0
    assert "a strategy of your own has no funnel" in said.out
    assert "shown is the last refused order" in said.out
    assert " was refused by " in said.out


def test_a_setup_refused_for_size_says_the_cash_one_lot_takes(tola, tmp_path):
    market.write(tmp_path / "XAUUSD_M15.csv")
    tola("backtest", "breakout", "--data", "XAUUSD_M15.csv", "--cash", "50",
         "--set", "lookback=3", "--set", "volume_required=false", "--set", "min_confidence=0",
         "--no-report")  # fmt: skip
    summary = json.loads(Path("runs/0001/summary.json").read_text())

    setup = json.loads(tola("why", "--json").out)["bar"]["setups"][0]

    rows = pd.read_csv("runs/0001/setups.csv")
    refused = rows[rows["reason"] == "size_zero"]
    # 0.5 % of equity at risk, the smallest lot 0.01 of 100 ounces.
    by_hand = (refused["entry"] - refused["stop"]).abs() * 100 * 0.01 / 0.005
    needed = summary["size_zero_cash_needed"]
    assert setup["cash_needed"] == pytest.approx(by_hand.iloc[-1])
    assert needed["setups"] == needed["priced"] == len(refused)
    assert needed["median"] == pytest.approx(by_hand.median())
    assert needed["max"] == pytest.approx(by_hand.max())
    assert any("allowed less than one lot" in note for note in summary["notes"])
