from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from core.config import (
    Account,
    AlertSettings,
    Config,
    Group,
    Known,
    LiveSettings,
    Plan,
    Settings,
    load,
)
from core.config_fields import is_file_name, split_file_name
from core.config_text import InitAnswers, init_texts
from core.errors import ConfigError
from core.log import forget_secrets, redact

KNOWN = Known(
    strategies={"gold_smc": ("rr", "order_bars"), "nifty_smc": ("rr",), "breakout": ("lookback",)},
    presets=("topstep_50k", "gold_bot", "nifty_intraday"),
)

WHOLE = """
[plans.gold]
strategy = "gold_smc"
instrument = "MGC"
timeframe = "15m"
risk = "tight"
data = "prices/gold.csv"
with = { DXY = "prices/dxy.csv" }
params = { rr = 2, order_bars = 10 }
account = "prop"
tz = "ny+7"
from = 2025-09-01
to = "2025-10"
instrument_set = { commission_per_unit = 0.5 }

[plans.nifty]
strategy = "nifty_smc"
instrument = "NIFTY-FUT"
timeframe = "5m"
cash = 3_000_000

[accounts.prop]
venue = "topstepx"
environment = "demo"
currency = "USD"
cash = 50_000
opposite = "refuse"

[risk.tight]
daily_loss = 400

[fx]
USDINR = 83.5
EURUSD = "prices/eurusd.csv"

[settings]
intrabar = "nearest"
instruments = "mine.toml"
"""


def written(folder: Path, text: str, name: str = "tola.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def loaded(folder: Path, text: str, **given: object) -> Config:
    (folder / "mine.toml").write_text("")
    given = {"env": {}, "known": KNOWN, **given}
    return load(written(folder, text), **given)


def faults_of(folder: Path, text: str, **given: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, **given)
    return str(caught.value)


def test_a_whole_file_becomes_plans_accounts_and_settings(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)

    assert config.plans["gold"] == Plan(
        "gold",
        "gold_smc",
        "MGC",
        "15m",
        data=(str(tmp_path / "prices/gold.csv"),),
        further={"DXY": str(tmp_path / "prices/dxy.csv")},
        params={"rr": 2, "order_bars": 10},
        risk="tight",
        account="prop",
        tz="ny+7",
        first=date(2025, 9, 1),
        last=date(2025, 10, 31),
        instrument_set={"commission_per_unit": 0.5},
    )
    assert [plan.name for plan in config.selected] == ["gold", "nifty"]
    assert config.settings == Settings(intrabar="nearest", instruments=str(tmp_path / "mine.toml"))
    assert config.risk == {"tight": {"daily_loss": 400}}
    assert config.fx == {"USDINR": 83.5, "EURUSD": str(tmp_path / "prices/eurusd.csv")}


def test_without_a_file_the_bundled_plans_run_with_default_cash(tmp_path: Path) -> None:
    config = load(tmp_path / "tola.toml", env={}, known=KNOWN)
    gold, nifty = config.selected

    assert (gold.strategy, gold.instrument, gold.timeframe) == ("gold_smc", "MGC", "15m")
    assert config.account_for(gold, "USD").cash == 100_000
    assert config.account_for(nifty, "INR").cash == 2_000_000
    assert gold.data == ()
    assert config.path is None


def test_cash_and_currency_come_from_plan_then_account_then_instrument(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)
    plans = config.plans

    gold = config.account_for(plans["gold"], "USD")

    assert gold == Account(
        "prop", "topstepx", "demo", currency="USD", cash=50_000, opposite="refuse"
    )
    assert config.account_for(plans["nifty"], "INR").cash == 3_000_000
    with pytest.raises(ConfigError, match="EUR; set cash"):
        config.account_for(Plan("x", "gold_smc", "MGC", "15m"), "EUR")


def test_flags_win_over_the_file_and_each_override_is_told(tmp_path: Path) -> None:
    flags = {"timeframe": "300s", "params": ["rr=3"], "intrabar": "best", "cash": None}

    config = loaded(tmp_path, WHOLE, select=["gold"], flags=flags)

    assert config.selected[0].timeframe == "5m"
    assert config.selected[0].params == {"rr": "3", "order_bars": 10}
    assert config.plans["gold"].timeframe == "15m"
    toml = tmp_path / "tola.toml"
    assert config.overrides() == [
        f"plans.gold.params = rr=3 order_bars=10 (flag --set; {toml} says rr=2 order_bars=10)",
        f"plans.gold.timeframe = 5m (flag --timeframe; {toml} says 15m)",
        f"settings.intrabar = best (flag --intrabar; {toml} says nearest)",
    ]


def test_flags_reach_only_the_selected_plans(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE, select=["nifty"], flags={"cash": 5e6})

    assert [plan.cash for plan in config.selected] == [5e6]
    assert config.plans["gold"].cash is None
    assert "plans.gold.cash" not in config.provenance


def test_a_strategys_name_or_file_is_a_plan_of_its_own(tmp_path: Path) -> None:
    flags = {"instrument": "MGC", "timeframe": "1h"}

    by_name = loaded(tmp_path, WHOLE, select=["breakout"], flags=flags).selected
    by_flag = loaded(
        tmp_path, WHOLE, flags={**flags, "strategy": "my.py:Cross", "params": ["fast=3"]}
    ).selected

    assert [(p.name, p.strategy, p.instrument) for p in by_name] == [
        ("breakout", "breakout", "MGC")
    ]
    assert [(p.strategy, p.params) for p in by_flag] == [("my.py:Cross", {"fast": "3"})]
    lacking = faults_of(tmp_path, WHOLE, select=["breakout"])
    assert "plans.breakout.instrument: missing; add it or give --instrument" in lacking


def test_the_older_guides_environment_names_are_accepted(tmp_path: Path) -> None:
    env = {
        "LOG_LEVEL": "debug",
        "PAPER_TRADING": "False",
        "DATABASE_URL": "postgresql://tola:hunter22@db/tola",
        "TOLA_FILLS": "backtrader",
        "ZERODHA_API_KEY": "kitekey",
        "CTRADER_CLIENT_SECRET": "shh-shh",
        "UPSTOX_ACCESS_TOKEN": "",
        "HOME": "/root",
    }

    config = loaded(tmp_path, WHOLE, env=env)

    settings = config.settings
    assert (settings.log_level, settings.paper_trading, settings.fills) == (
        "DEBUG",
        False,
        "backtrader",
    )
    assert settings.database_url == "postgresql://tola:hunter22@db/tola"
    assert config.credentials == {"ZERODHA_API_KEY": "kitekey", "CTRADER_CLIENT_SECRET": "shh-shh"}
    assert config.provenance["settings.paper_trading"].origin == "PAPER_TRADING"


def test_flags_win_over_the_environment_and_it_over_the_file(tmp_path: Path) -> None:
    env = {"TOLA_INTRABAR": "worst"}

    from_env = loaded(tmp_path, WHOLE, env=env)
    from_flag = loaded(tmp_path, WHOLE, env=env, flags={"intrabar": "drill"})

    assert from_env.settings.intrabar == "worst"
    assert from_flag.settings.intrabar == "drill"


def test_a_dotenv_file_fills_what_the_environment_lacks(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# comment\nexport ZERODHA_API_KEY='from file'\nLOG_LEVEL=ERROR # loud\n"
        "UPSTOX_API_KEY=\nPAPER_TRADING=False\n"
    )

    config = loaded(tmp_path, WHOLE, env={"PAPER_TRADING": "True"})

    assert config.credentials == {"ZERODHA_API_KEY": "from file"}
    assert config.settings.log_level == "ERROR"
    assert config.settings.paper_trading is True


def test_no_credential_is_shown_or_stored(tmp_path: Path) -> None:
    env = {
        "ZERODHA_ACCESS_TOKEN": "planted-token",
        "DATABASE_URL": "postgresql://tola:planted-pass@db/tola",
    }

    config = loaded(tmp_path, WHOLE, env=env)

    stored = json.dumps(config.stored())
    assert "planted" not in stored
    assert "planted" not in "\n".join(config.overrides())
    assert "planted-token" not in repr(config)


def test_every_fault_comes_in_one_message_with_near_names(tmp_path: Path) -> None:
    text = """
    [plans.gold]
    strategy = "gold_smk"
    instrument = "MCG"
    timeframe = "15x"
    risk = "topstep_5k"
    acount = "prop"
    account = "prp"
    data = 5
    cash = -1
    tz = "Asia/Kolkatta"
    from = 2025-09-01T10:00:00
    [plans.nifty]
    strategy = "nifty_smc"
    instrument = "NIFTY-FUT"
    timeframe = "5m"
    params = { rrr = 2 }
    from = 2025-05-01
    to = 2025-04-30
    instrument_set = { lots = 75 }
    [plans.bare]
    [accounts.prop]
    venue = "topstepx"
    api_key = "oops"
    environment = "real"
    [risk]
    mine = 5
    [fx]
    USD = 1
    USDINR = 0
    [settings]
    intrabar = "worse"
    costs = "maybe"
    [setings]
    """

    message = faults_of(tmp_path, text, env={"PAPER_TRADING": "perhaps"}, flags={"bandd": True})

    for part in (
        "plans.gold.strategy=gold_smk: no such strategy; did you mean 'gold_smc'",
        "instrument 'MCG' is unknown; did you mean 'MGC'",
        "plans.gold.timeframe=15x: expected a number and s, m, h or d",
        "plans.gold.risk=topstep_5k: no such preset; did you mean 'topstep_50k'",
        "plans.gold.acount: unknown; did you mean 'account'",
        "plans.gold.account=prp: no such account; did you mean 'prop'",
        "plans.gold.data=5: expected a file",
        "plans.gold.cash=-1: expected a number above 0",
        "did you mean Asia/Kolkata",
        "plans.gold.from=2025-09-01 10:00:00: expected a date without a time",
        "plans.nifty.params.rrr: nifty_smc has no such setting; did you mean 'rr'",
        "plans.nifty: from 2025-05-01 lies after to 2025-04-30",
        "lots=75: no such fact; did you mean 'lot'",
        "plans.bare.strategy: missing",
        "accounts.prop.api_key: credentials belong in the environment",
        "accounts.prop.environment=real: expected one of paper, demo, live",
        "risk.mine: expected a table",
        "fx.USD: expected a pair",
        "fx.USDINR=0: expected a rate above 0",
        "settings.intrabar=worse: expected one of worst, nearest, best, drill",
        "settings.costs=maybe: expected true or false",
        "PAPER_TRADING=perhaps: expected true or false",
        "--bandd: unknown; did you mean 'band'",
        "[setings]: unknown section; did you mean 'settings'",
    ):
        assert part in message
    assert message.splitlines()[0].endswith("faults")
    assert "oops" not in message


def test_an_unknown_plan_suggests_plans_and_strategies(tmp_path: Path) -> None:
    message = faults_of(tmp_path, WHOLE, select=["golds", "break_out"])

    assert "golds: no such plan or strategy; did you mean 'gold'" in message
    assert "did you mean 'breakout'" in message


def test_the_zone_check_of_the_feeds_is_asked(tmp_path: Path) -> None:
    def refuse(zone: str) -> None:
        raise ConfigError(f"zone {zone} is not for files")

    known = Known(KNOWN.strategies, KNOWN.presets, refuse)

    assert "plans.gold.tz: zone ny+7 is not for files" in faults_of(tmp_path, WHOLE, known=known)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[plans", "not valid TOML"),
        ("plans = 5", "expected a table"),
        ("[plans]\ngold = 1", "gold"),
    ],
)
def test_a_file_that_is_no_settings_file_is_told_in_one_line(
    tmp_path: Path, text: str, part: str
) -> None:
    assert part in faults_of(tmp_path, text)


def test_only_the_default_file_may_be_absent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="init makes one"):
        load(tmp_path / "mine.toml", env={})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, env={})


def test_an_unknown_variable_of_ours_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="core"):
        loaded(tmp_path, WHOLE, env={"TOLA_INTRABARR": "best", "TOLA_CACHE_DIR": "x"})

    assert [record.args for record in caplog.records] == [("TOLA_INTRABARR",)]


@pytest.mark.parametrize("market", ["gold", "nifty", "both"])
@pytest.mark.parametrize("risk", [None, "topstep_50k", "nifty_intraday"])
@pytest.mark.parametrize("currency", [None, "usd", "INR"])
def test_what_init_writes_loads_without_a_fault(
    tmp_path: Path, market: str, risk: str | None, currency: str | None
) -> None:
    texts = init_texts(InitAnswers(market, risk, currency), KNOWN.presets)

    config = loaded(tmp_path, texts.settings)

    names = [plan.name for plan in config.selected]
    assert names == (["gold", "nifty"] if market == "both" else [market])
    assert [plan.risk for plan in config.selected].count(risk) >= 1
    assert {plan.currency for plan in config.selected} == {currency and currency.upper()}
    assert "CTRADER_CLIENT_ID=\n" in texts.environment
    values = [
        line.partition("=")[2] for line in texts.environment.splitlines() if line[:1].isupper()
    ]
    assert set(values) == {"", "True", "INFO"}


def test_wrong_answers_to_init_come_in_one_message() -> None:
    with pytest.raises(ConfigError) as caught:
        init_texts(InitAnswers("golds", "topstep_5k", "dollars"), KNOWN.presets)

    text = str(caught.value)
    assert "did you mean 'gold'" in text
    assert "did you mean 'topstep_50k'" in text
    assert "three letters" in text


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("my.py:Cross", ("my.py", "Cross")),
        ("my.py", ("my.py", "")),
        ("C:\\lab\\my.py:Cross", ("C:\\lab\\my.py", "Cross")),
    ],
)
def test_a_strategy_file_is_told_from_its_class(name: str, parts: tuple[str, str]) -> None:
    assert is_file_name(name)
    assert split_file_name(name) == parts


def test_a_strategy_file_may_leave_out_its_class(tmp_path: Path) -> None:
    flags = {"instrument": "MGC", "timeframe": "15m"}

    config = loaded(tmp_path, "", select=["my.py"], flags=flags)

    assert [plan.strategy for plan in config.selected] == ["my.py"]


def test_offsets_and_spoken_zones_are_left_to_the_one_who_reads_files(tmp_path: Path) -> None:
    seen: list[str] = []
    known = Known(check_zone=seen.append)

    config = loaded(tmp_path, WHOLE, select=["gold"], flags={"tz": "+05:30"}, known=known)

    assert config.selected[0].tz == "+05:30"
    assert "+05:30" in seen


def test_an_empty_variable_is_as_good_as_none_and_an_empty_flag_is_named(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE, env={"DATABASE_URL": "", "TOLA_INTRABAR": " "})

    assert config.settings.database_url is None
    assert config.settings.intrabar == "nearest"
    assert "--risk: is empty; give a value or leave it out" in faults_of(
        tmp_path, WHOLE, select=["gold"], flags={"risk": ""}
    )


SESSION = """
[live]
speed = 60
history_bars = 500
entry_age_secs = 2.5
at_end = "keep"
brackets = "kept"

[alerts]
services = ["tgram://pl4nted-token/chat", "json://127.0.0.1:80/pl4nted"]
ping = "https://hc-ping.com/pl4nted"
ping_secs = 30
"""


@pytest.fixture
def no_secrets_left() -> Iterator[None]:
    yield
    forget_secrets()


def test_how_a_session_runs_is_read_from_its_own_tables(
    tmp_path: Path, no_secrets_left: None
) -> None:
    config = loaded(tmp_path, WHOLE + SESSION)

    assert config.live == LiveSettings(
        speed=60.0, history_bars=500, entry_age_secs=2.5, at_end="keep", brackets="kept"
    )
    assert config.alerts == AlertSettings(
        ("tgram://pl4nted-token/chat", "json://127.0.0.1:80/pl4nted"),
        ping="https://hc-ping.com/pl4nted",
        ping_secs=30.0,
    )


def test_without_their_tables_sessions_have_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE)

    assert (config.live, config.alerts) == (LiveSettings(), AlertSettings())
    assert config.live.at_end is None
    assert config.provenance["live.stale_secs"].source == "default"


def test_flags_override_what_may_differ_from_session_to_session(
    tmp_path: Path, no_secrets_left: None
) -> None:
    flags = {"speed": "max", "at_end": "flatten", "history_bars": 50}

    config = loaded(tmp_path, WHOLE + SESSION, flags=flags)

    toml = tmp_path / "tola.toml"
    assert (config.live.speed, config.live.at_end, config.live.history_bars) == (
        "max",
        "flatten",
        50,
    )
    assert config.overrides() == [
        f"live.at_end = flatten (flag --at-end; {toml} says keep)",
        f"live.history_bars = 50 (flag --history-bars; {toml} says 500)",
        f"live.speed = max (flag --speed; {toml} says 60.0)",
    ]
    message = faults_of(tmp_path, WHOLE, flags={"speed": "0", "stale_secs": 5})
    assert "--speed=0: expected a number above 0, or max" in message
    assert "--stale_secs: unknown" in message


def test_alert_services_in_the_environment_displace_the_files(
    tmp_path: Path, no_secrets_left: None
) -> None:
    env = {
        "TOLA_ALERTS": " tgram://a-token/chat , mailto://u:p@host?to=a@x,b@y,json://127.0.0.1/z ",
        "TOLA_PING": "http://127.0.0.1:9/ping",
    }

    config = loaded(tmp_path, WHOLE + SESSION, env=env)

    assert config.alerts.services == (
        "tgram://a-token/chat",
        "mailto://u:p@host?to=a@x,b@y",
        "json://127.0.0.1/z",
    )
    assert config.alerts.ping == "http://127.0.0.1:9/ping"


def test_addresses_of_alerts_are_credentials(tmp_path: Path, no_secrets_left: None) -> None:
    config = loaded(tmp_path, WHOLE + SESSION, flags={"speed": 2})

    shown = json.dumps(config.stored()) + repr(config) + "\n".join(config.overrides())
    assert "pl4nted" not in shown
    assert config.stored()["alerts.ping_secs"]["value"] == 30.0
    assert redact("told tgram://pl4nted-token/chat") == "told ***"


def test_a_wrong_alert_address_is_not_shown_either(tmp_path: Path, no_secrets_left: None) -> None:
    text = """
    [alerts]
    services = ["tgram://fine/1", "pl4nted-token"]
    ping = "pl4nted.example"
    """

    by_file = faults_of(tmp_path, WHOLE + text)
    by_env = faults_of(tmp_path, WHOLE, env={"TOLA_ALERTS": "pl4nted", "TOLA_PING": "pl4nted"})

    assert "alerts.services: number 2 is no address of an alert service, such as" in by_file
    assert "alerts.ping: expected an address that begins with https:// or http://" in by_file
    assert "TOLA_ALERTS: number 1 is no address" in by_env
    assert "TOLA_PING: expected an address" in by_env
    assert "pl4nted" not in by_file + by_env


def test_every_fault_of_a_sessions_tables_is_told(tmp_path: Path) -> None:
    text = """
    [live]
    speed = "fast"
    history_bars = 1.5
    entry_age_secs = 0
    max_retries = -1
    retry_delay = -1
    burst_size = 0
    at_end = "flat"
    brackets = "none"
    positions = "both"
    stale = 30
    [alerts]
    services = 5
    ping_secs = 0
    per_minut = 2
    """

    message = faults_of(tmp_path, WHOLE + text)

    for part in (
        "live.speed=fast: expected a number above 0, or max",
        "live.history_bars=1.5: expected a whole number of 0 or more",
        "live.entry_age_secs=0: expected a number above 0",
        "live.max_retries=-1: expected a whole number of 0 or more",
        "live.retry_delay=-1: expected a number of 0 or more",
        "live.burst_size=0: expected a whole number of 1 or more",
        "live.at_end=flat: expected one of keep, flatten",
        "live.brackets=none: expected one of native, kept",
        "live.positions=both: expected one of netting, hedging",
        "live.stale: unknown; did you mean 'stale_secs'",
        "alerts.services: expected a list of addresses in quotes",
        "alerts.ping_secs=0: expected a number above 0",
        "alerts.per_minut: unknown; did you mean 'per_minute'",
    ):
        assert part in message
    assert message.splitlines()[0].endswith(": 13 faults")


def test_a_settings_table_may_be_no_table(tmp_path: Path) -> None:
    message = faults_of(tmp_path, "live = 5\nalerts = 'x'\n" + WHOLE)

    assert "live: expected a table [live]" in message
    assert "alerts: expected a table [alerts]" in message


def test_what_init_proposes_for_sessions_is_valid_when_uncommented(
    tmp_path: Path, no_secrets_left: None
) -> None:
    text = init_texts(InitAnswers("gold"), KNOWN.presets).settings
    start = text.index("[live]")

    config = loaded(tmp_path, text[:start] + re.sub("(?m)^# ", "", text[start:]))

    assert config.live.speed == 60
    assert config.live.at_end == "flatten"
    assert config.alerts.services == ("tgram://TOKEN/CHAT",)


OWN = """
[accounts.gold_mt5]
venue = "metaapi"
foreign = "halt"
max_retries = 3
balance_tolerance = "off"
symbols = { XAUUSD = "XAUUSD.r" }
options = { region = "london" }

[groups.all]
members = ["gold_mt5", "prop"]
currency = "usd"
daily_loss = 1_500
"""


def test_an_account_may_have_fields_of_live_of_its_own_and_the_venues(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE + OWN)

    account = config.accounts["gold_mt5"]
    assert account.live == {"foreign": "halt", "max_retries": 3, "balance_tolerance": None}
    assert (account.symbols, account.options) == ({"XAUUSD": "XAUUSD.r"}, {"region": "london"})
    assert config.live.foreign == "pause"


def test_limits_over_several_accounts_are_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, WHOLE + OWN)

    assert config.groups == {"all": Group("all", ("gold_mt5", "prop"), "USD", daily_loss=1500.0)}


def test_wrong_session_settings_are_named_with_what_is_expected(tmp_path: Path) -> None:
    text = """
[live]
foreign = "ignore"
history_tries = 0
balance_tolerance = -1
retry_secs = 2
[accounts.prop]
speed = 3
brst_size = 2
[groups.all]
currency = "USD"
open_risk = 0
"""
    message = faults_of(tmp_path, text)

    for line in (
        "live.foreign=ignore: expected one of count, pause, halt",
        "live.history_tries=0: expected a whole number of 1 or more",
        "live.balance_tolerance=-1: expected a number of 0 or more, or off",
        "live.retry_secs: unknown",
        "accounts.prop.speed: unknown",
        "accounts.prop.brst_size: unknown; did you mean 'burst_size'",
        "groups.all.members: missing",
        "groups.all.open_risk=0: expected a number above 0",
    ):
        assert line in message


def test_credentials_of_one_account_alone_are_found_by_its_name(
    tmp_path: Path, no_secrets_left: None
) -> None:
    env = {"METAAPI_TOKEN": "pl4nted", "METAAPI_TOKEN__SECOND": "pl4nted-too", "OTHER__X": "no"}

    assert loaded(tmp_path, WHOLE, env=env).credentials == {
        "METAAPI_TOKEN": "pl4nted",
        "METAAPI_TOKEN__SECOND": "pl4nted-too",
    }
