"""The summary for people, and progress in a terminal."""

from __future__ import annotations

import io

from backtests.results.summary_text import money, short_lines, summary_lines
from backtests.verbs.progress import Progress


def summary(**changes):
    plan = {
        "plan_id": "gold", "instrument": "MGC", "timeframe": "15m", "synthetic": True,
        "trades": 41, "win_rate": 0.341, "net_profit": -412.6, "return_pct": -0.41,
        "currency": "USD", "expectancy_r": -0.03, "expectancy_ci95": [-0.44, 0.38],
        "verdict": "no edge shown", "trades_to_tell": 17000, "cash_start": 100_000.0,
        "costs": {"commission": 300.0, "swap": 0.0}, "gross_profit": 1000.0,
        "funnel": {"bars": 1000, "sweeps": 512, "setups": 33, "armed": 29, "filled": 12,
                   "dropped": {"dxy": 6, "size_zero": 9}},
        "refused": {"trade_risk": 2}, "flat": "flat by 15:10 Chicago", "longest_gap_days": 12.2,
        "ambiguous_trades": 3, "band": {"worst": -1900.0, "best": 600.0}, "open_positions": [],
    }  # fmt: skip
    account = {
        "account": "eval", "currency": "USD", "net_profit": -412.6, "return_pct": -0.41,
        "max_drawdown_pct": 2.2, "worst_day": -498.0, "daily_limit": 800.0,
        "daily_headroom": 302.0, "floor_headroom": 1240.0,
        "locks": [{"ts": "2024-02-13T15:00:00Z", "rule": "daily_loss"},
                  {"ts": "2024-02-14T15:00:00Z", "rule": "daily_loss"},
                  {"ts": "2024-03-01T15:00:00Z", "rule": "trailing_drawdown"}],
    }  # fmt: skip
    whole = {
        "run": "runs/0001", "plans": [{**plan, **changes}], "accounts": [account],
        "correlation": {}, "totals": {"trades": 41, "net_profit": {"USD": -412.6}},
        "files": {"report": "runs/0001/report.html"}, "interrupted": False,
        "seconds": {"load": 0.5, "compile": 0.0, "run": 3.0, "report": 0.3},
    }  # fmt: skip
    return whole


def test_a_plan_is_one_line_with_its_interval_and_verdict():
    assert summary_lines(summary())[0] == (
        "gold  MGC (synthetic) 15m  41 trades  34 % win  -$413 (-0.4 %)  "
        "-0.03 R [-0.44, +0.38]  no edge shown"
    )


def test_details_answer_what_a_trader_asks_next():
    text = "\n".join(summary_lines(summary()))

    assert "sweeps 512 > setups 33 > armed 29 > filled 12    " in text
    assert "dropped: size below minimum 9, DXY 6" in text
    assert "refused: trade risk 2" in text
    assert "costs 300 USD (commission 300), 30 % of gross winnings" in text
    assert (
        "worst day -$498 of -$800  nearest to the daily limit $302  nearest to the floor $1,240"
    ) in text
    assert "about 17,000 trades" in text
    assert "locked: daily loss 2 times, trailing drawdown for good on 2024-03-01" in text
    assert text.splitlines()[-1] == (
        "band worst..best -1.9..+0.6 %    3 ambiguous trades    report runs/0001/report.html"
        "    3.8 s"
    )


def test_what_rounds_to_zero_has_no_sign_and_one_trade_is_one():
    line = summary_lines(
        summary(trades=1, expectancy_r=-0.001, expectancy_ci95=None, verdict="one trade")
    )[0]

    assert "  1 trade  " in line
    assert "  0.00 R  " in line


def test_how_often_it_traded_and_what_holding_gave():
    part = {"net_profit": 5.0, "win_rate": 0.5, "expectancy_ci95": None}
    text = "\n".join(
        summary_lines(
            summary(
                trades_a_month=3.34,
                longest_gap={
                    "days": 57.2, "from": "2023-05-23T01:00:00Z", "to": "2023-07-19T06:00:00Z",
                },
                longest_losing_streak={"trades": 7, "r": -6.94, "pnl": -900.0},
                buy_and_hold={
                    "basis": "one_lot", "quantity": 1.0, "net_profit": 4000.0, "return_pct": 4.0,
                    "max_drawdown_pct": 11.8, "notional": 480_000.0,
                },
                news={
                    "minutes_before": 30, "minutes_after": 30, "currencies": ["USD"],
                    "not_covered": 2,
                    "inside": {**part, "trades": 1, "expectancy_r": -0.05},
                    "outside": {**part, "trades": 38, "expectancy_r": 0.08},
                },
                power={"alpha": 0.05, "power": 0.8, "trades": 41, "detectable": 0.52},
            )
        )
    )  # fmt: skip

    assert (
        "3.3 trades a month, longest without one 57 days (2023-05-23 to 2023-07-19), "
        "longest losing streak 7 (-6.94 R)"
    ) in text
    assert (
        "buy and hold 1 MGC (one lot, 4.8 times the cash): +$4,000 (+4.0 %), drawdown 11.8 %"
        in text
    )
    assert (
        "open within 30 min of USD news: 1 trade -0.05 R; others: 38 trades +0.08 R; "
        "2 lie outside the news list"
    ) in text
    assert "17,000 trades to be told from zero (5 % error, 80 % power); 41 can tell +0.52 R" in text


def test_a_run_without_trades_says_only_that():
    text = summary_lines(summary(trades=0, verdict="no trades", band=None, ambiguous_trades=0))[0]

    assert text == "gold  MGC (synthetic) 15m  0 trades      no trades"


def test_quiet_is_a_line_a_plan_and_where_the_run_lies():
    assert len(short_lines(summary())) == 2


def test_money_carries_sign_and_currency():
    assert money(-498.4, "USD") == "-$498"
    assert money(12_300.0, "INR") == "+12,300 INR"
    assert money(-0.3, "USD") == "$0"
    assert money(None, "USD") == "-"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_shows_rate_and_time_left_in_a_terminal_and_wipes_itself():
    stream = Terminal()
    progress = Progress(stream)

    progress.begin("gold", 1000)
    progress._shown = 0.0
    progress.update(500)
    progress.end()

    assert "[############............]  50%" in stream.getvalue()
    assert "bars/s" in stream.getvalue()
    assert stream.getvalue().endswith("\r" + " " * 79 + "\r")


def test_progress_says_nothing_without_a_terminal_or_when_quiet():
    pipe, terminal = io.StringIO(), Terminal()

    for progress in (Progress(pipe), Progress(terminal, wanted=False)):
        progress.begin("gold", 10)
        progress.update(10)
        progress.end()

    assert pipe.getvalue() == terminal.getvalue() == ""
