"""`ready`: what the gate asks for, check by check, against what real commands left."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from core.calendar import day_number, get_calendar
from live.ready.checks import passed
from live.ready.records import SessionRecord
from tests.brokers.kite.market import KEY, SECRET, browser, free_port, settings_text, start_box
from tests.cli.market import EVERY_TENTH

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = """\
[plans.first]
strategy = "breakout"
instrument = "MGC"
timeframe = "15m"
tz = "UTC"
data = "gold.csv"
account = "desk"
risk = "topstep_50k"

[accounts.desk]
venue = "kite"
currency = "USD"
cash = 50000
"""


@pytest.fixture
def desk(tola, tmp_path, monkeypatch):
    """A plan of 400 bars whose account is at a venue, and no token."""
    monkeypatch.setenv("TOLA_TOKENS_DIR", str(tmp_path / "tokens"))
    for name in ("KITE_API_KEY", "ZERODHA_API_KEY", "KITE_ACCESS_TOKEN", "ZERODHA_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZERODHA_API_KEY", "key")
    with gzip.open(ROOT / "data" / "xauusd_15m_synthetic.csv.gz", "rt") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        rows = [next(lines).strip().split(",") for _ in range(401)]
    for row in rows[1:]:  # to MGC's price step
        row[1:5] = [f"{float(price):.1f}" for price in row[1:5]]
    (tmp_path / "gold.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    (tmp_path / "tola.toml").write_text(SETTINGS)
    return tola


def checks(said):
    return {row["name"]: row for row in json.loads(said.out)["checks"]}


def walk_forward(profit, number="0100", **more):
    folder = Path("runs") / number
    folder.mkdir(parents=True)
    told = {"mode": "walkforward", "plan_id": "first",
            "out_of_sample": {"net_profit": profit, "sharpe": 0.8, "trades": int(profit != 0.0)},
            **more}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(told))


def test_a_new_plan_is_not_ready_and_every_reason_stands_in_one_line(desk):
    said = desk("ready", "first")

    lines = said.out.splitlines()
    assert said.code == 1
    assert lines[0].startswith("NOT READY  no audit; no walk-forward; paper days 0 of 5; no ")
    assert [line.split()[0] for line in lines[1:7]] == ["FAIL", "FAIL", "FAIL", "ok", "ok", "FAIL"]
    assert lines[-1] == "next: python run.py audit first"


def test_an_audit_counts_for_the_plan_data_and_code_it_was_made_of(desk):
    assert desk("audit", "first", "--cuts", "2", "--no-report").code == 0
    clean = checks(desk("ready", "first", "--json"))["audit"]

    Path("tola.toml").write_text(SETTINGS + "\n[plans.first.params]\nrr = 3\n")
    other_plan = checks(desk("ready", "first", "--json"))["audit"]
    Path("tola.toml").write_text(SETTINGS)
    prices = Path("gold.csv").read_text().splitlines()
    Path("gold.csv").write_text("\n".join(prices[:-1]) + "\n")
    other_data = checks(desk("ready", "first", "--json"))["audit"]

    assert clean["ok"] and clean["text"].startswith("clean over 400 bars")
    assert other_plan["text"] == "audit is out of date: rr was 2.0, is 3.0"
    assert other_data["text"] == "audit is out of date: the prices changed"


def test_a_walk_forward_must_have_earned_out_of_sample(desk):
    walk_forward(-250.0, "0100")
    lost = checks(desk("ready", "first", "--json"))["out of sample"]
    walk_forward(1_250.0, "0101")
    won = checks(desk("ready", "first", "--json"))["out of sample"]
    walk_forward(900.0, "0102", identity={"strategy": "gold_smc"})
    old = checks(desk("ready", "first", "--json"))["out of sample"]

    assert (lost["ok"], lost["text"]) == (
        False, "walk-forward 0100 lost out of sample (-250, Sharpe 0.80)",
    )  # fmt: skip
    assert (won["ok"], won["text"]) == (True, "walk-forward 0101: +1,250, Sharpe 0.80")
    assert old["text"] == "walk-forward 0102 is out of date: the strategy changed"
    walk_forward(0.0, "0103")
    nothing = checks(desk("ready", "first", "--json"))["out of sample"]
    assert nothing["text"] == "walk-forward 0103 traded nothing out of sample"


def test_a_swept_winner_is_gated_with_the_parameters_it_was_tried_with(desk):
    assert desk("audit", "first", "--set", "rr=3", "--cuts", "2", "--no-report").code == 0
    said = desk("ready", "first", "--set", "rr=3", "--json")
    plain = desk("ready", "first", "--json")

    assert checks(said)["audit"]["ok"]
    assert checks(plain)["audit"]["text"] == "audit is out of date: rr was 3.0, is 2.0"
    assert json.loads(said.out)["next"] == (
        "python run.py walkforward first --grid rr=1:3:0.5 --set rr=3"
    )
    text = desk("ready", "first", "--set", "rr=3").out.splitlines()
    assert text[0] == "override: first.params = rr=3 (flag --set)"
    assert text[1].startswith("NOT READY  no walk-forward; paper days 0 of 5; ")


def test_a_plain_strategy_is_told_that_no_walk_forward_can_be_made_and_may_pass(desk, monkeypatch):
    Path("my.py").write_text(EVERY_TENTH)
    Path("tola.toml").write_text(SETTINGS.replace('"breakout"', '"my.py:EveryTenth"'))
    said = desk("ready", "first", "--json")

    assert checks(said)["out of sample"]["applies"] is False
    assert {row["name"] for row in json.loads(said.out)["findings"]} == {
        "audit", "paper days", "token"
    }  # fmt: skip
    assert desk("audit", "first", "--cuts", "2", "--no-report").code == 0
    for name, word in (("_paper", "paper days"), ("_token", "token")):
        monkeypatch.setattr(f"live.ready.gate.{name}", lambda *_, word=word: passed(word, "held"))
    said = desk("ready", "first")
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0] == ("READY  first: every check passed but out of sample, which does not apply")
    assert lines[2].startswith("  n/a   out of sample  EveryTenth is a plain Backtrader strategy")


@pytest.mark.parametrize(
    "words",
    [
        ("walkforward", "--grid", "left=2,3", "--windows", "2"),
        ("odds", "--perturb", "0", "--paths", "200"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_proposed_after_a_run_on_a_file_of_its_own_works_as_printed(desk, words):
    file = ROOT / "data" / "xauusd_15m_synthetic.csv.gz"
    plan = ("gold_smc", "--data", str(file), "--instrument", "XAUUSD", "--tz", "UTC", "--to",
            "2025-02", "--set", "rr=2.5")  # fmt: skip

    said = desk(words[0], *plan, *words[1:])

    assert said.code == 0, said.err
    step = said.out.splitlines()[-1].removeprefix("next: python run.py ")
    assert step.split()[:2] == ["ready", "gold_smc"]
    text = checks(desk(*step.split(), "--json"))["out of sample"]["text"]
    assert text.startswith("walk-forward 0001" if words[0] == "walkforward" else "no walk-forward")
    assert "out of date" not in text


def test_what_is_missing_is_told_with_a_command_that_can_be_typed(desk):
    Path("tola.toml").rename("mine.toml")

    found = checks(desk("ready", "first", "--config", "mine.toml", "--json"))

    assert [found[name]["remedy"] for name in ("audit", "out of sample", "paper days")] == [
        "python run.py audit first --config mine.toml",
        "python run.py walkforward first --grid rr=1:3:0.5 --config mine.toml",
        "python run.py live first --config mine.toml",
    ]


def test_replayed_days_do_not_count_though_verified(desk):
    desk("live", "first", "--paper", "--speed", "max", "--no-report", "--history-bars", "100")
    desk("verify", "last")

    said = checks(desk("ready", "first", "--json"))["paper days"]

    assert json.loads(next(Path("runs").glob("*/verified.json")).read_text())["identical"] is True
    assert said["text"] == "paper days 0 of 5 (days replayed do not count)"


def test_a_day_counts_if_the_session_ran_through_half_of_it_in_its_own_time():
    calendar = get_calendar("NSE")
    day = day_number(date(2025, 3, 5))
    session = calendar.session_of(day)
    length = session.close - session.open

    def lived(*spans, verified=True):
        told = {"identical": verified}
        record = SessionRecord("0001", "paper", told, spans, (day, day + 1), "tutorial", {})
        return record.days_lived(calendar)

    assert lived((session.open, session.close)) == {day}
    assert lived((session.open - length, session.open + length // 2)) == {day}
    assert lived((session.open, session.open + length // 3)) == set()
    assert lived((session.open, session.open + length // 3),
                 (session.close - length // 4, session.close)) == {day}  # fmt: skip
    assert lived((session.close, session.close + 10 * length)) == {day + 1}


def test_a_missing_token_is_told_with_the_login(desk):
    said = checks(desk("ready", "first", "--json"))["token"]

    assert not said["ok"]
    assert "Kite" in said["text"]


def test_a_plan_without_limits_or_slippage_is_not_ready(desk):
    text = SETTINGS.replace('risk = "topstep_50k"', "instrument_set = { slippage_ticks = 0 }")
    Path("tola.toml").write_text(text.replace('"breakout"', '"tutorial"'))

    found = checks(desk("ready", "first", "--json"))

    assert found["limits"]["text"] == "no limit on a day's loss"
    assert found["slippage"]["text"] == "slippage of MGC is taken as 0 and none was measured"
    assert found["slippage"]["remedy"].startswith("assume some")


def test_slippage_of_an_account_is_held_against_what_is_assumed(desk):
    desk("live", "first", "--paper", "--speed", "max", "--no-report", "--history-bars", "380")
    folder = next(path.parent for path in Path("runs").glob("*/run.json"))
    document = json.loads((folder / "run.json").read_text())
    document["session"]["mode"] = "live"
    (folder / "run.json").write_text(json.dumps(document))
    found = []
    for mean in (0.4, 2.5):
        told = {"identical": True, "slippage": {"fills": 20, "mean_ticks": mean}}
        (folder / "verified.json").write_text(json.dumps(told))
        found.append(checks(desk("ready", "first", "--json"))["slippage"])

    assert (found[0]["ok"], found[0]["text"]) == (
        True,
        "+0.40 ticks a fill over 20 fills, 1 assumed",
    )
    assert (found[1]["ok"], found[1]["text"]) == (
        False, "slippage +2.50 ticks a fill over 20 fills, 1 assumed",
    )  # fmt: skip


def test_a_login_that_lives_passes_and_a_dead_one_says_so(tola, tmp_path, monkeypatch):
    port = free_port()
    box = start_box(port)
    try:
        account = '\n[accounts.desk]\nvenue = "kite"\ncurrency = "INR"\ncash = 2000000\n'
        plan = '\n[plans.nifty]\nstrategy = "nifty_smc"\ninstrument = "NIFTY-FUT"\n' \
               'timeframe = "5m"\naccount = "desk"\n'  # fmt: skip
        Path("tola.toml").write_text(settings_text(box, port) + account + plan)
        monkeypatch.setenv("TOLA_TOKENS_DIR", str(tmp_path / "tokens"))
        monkeypatch.setenv("ZERODHA_API_KEY", KEY)
        monkeypatch.setenv("ZERODHA_API_SECRET", SECRET)
        monkeypatch.delenv("ZERODHA_ACCESS_TOKEN", raising=False)
        monkeypatch.setenv("BROWSER", browser(tmp_path))
        before = checks(tola("ready", "nifty", "--json"))["token"]
        assert tola("login", "kite", "--account", "desk").code == 0
        lives = checks(tola("ready", "nifty", "--json"))["token"]
        box.call(box.face.expire_tokens)
        dead = checks(tola("ready", "nifty", "--json"))["token"]
    finally:
        box.stop()

    assert (before["ok"], before["text"]) == (False, "no token for Zerodha Kite")
    assert before["remedy"] == "python run.py login kite --account desk"
    assert (lives["ok"], lives["text"]) == (True, "Zerodha Kite, account desk")
    assert not dead["ok"]
    assert dead["text"].startswith("Zerodha Kite: ")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("ready",), "ready takes one plan at a time; name one of: gold, nifty"),
        (("ready", "gold", "--paper-days", "0"), "--paper-days 0: expected 1 or more"),
        (("ready", "golf"), "golf"),
    ],
)
def test_wrong_words_are_one_clear_line(tola, words, part):
    said = tola(*words)

    assert said.code == 2
    assert part in said.error
