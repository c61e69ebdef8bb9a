"""The gate to a real account: what is refused, in which words, and that paper stays the default."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from brokers import registry
from core.log import forget_secrets
from live.gate import Asked, admit, known_accounts
from tests.brokers.venues import BAZAAR, MERIDIAN
from tests.cli.market import EVERY_TENTH, write

TOML = """\
[plans.gold]
strategy = "gold_smc"
instrument = "MGC"
timeframe = "15m"
data = "gold.csv"
account = "main"

[plans.other]
strategy = "gold_smc"
instrument = "MGC"
timeframe = "15m"
data = "gold.csv"

[accounts.main]
venue = "meridian"
environment = "live"

[accounts.broker_in_india]
venue = "bazaar"
environment = "live"

[accounts.unset]
venue = "meridian"

[accounts.on_paper]
venue = "meridian"
environment = "paper"

[accounts.looker]
venue = "meridian"
environment = "demo"
read_only = true

[accounts.future]
venue = "upstox"
environment = "live"

[accounts.play]
venue = "paper"
"""


@pytest.fixture
def shop(tola, tmp_path, monkeypatch):
    """Run `live` on the settings above, with both made-up venues among those of this version."""
    for venue in (BAZAAR, MERIDIAN):
        monkeypatch.setitem(registry.VENUES, venue.name, venue)
    for name in ("PAPER_TRADING", "TOLA_PAPER_TRADING", "MERIDIAN_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    Path("tola.toml").write_text(TOML)
    write(Path("gold.csv"))
    yield lambda *words: tola("live", *words)
    forget_secrets()


@pytest.fixture
def real(shop, monkeypatch):
    """The same where the environment allows real trading."""
    monkeypatch.setenv("PAPER_TRADING", "False")
    return shop


def add(text):
    with Path("tola.toml").open("a") as file:
        file.write(text)


def refused(said):
    """Return the one line of a refusal; nothing may have been made or said besides."""
    assert said.code == 2, said.err
    assert said.out == ""
    assert not Path("accounts").exists() and not Path("runs").exists()
    return said.error.removeprefix("error: ")


# -- what stands in the way -----------------------------------------------------------------------


def test_a_venue_of_a_later_version_is_one_clear_line(real):
    line = refused(real("other", "--account", "future", "--confirm", "ture"))

    assert line == (
        "venue upstox: not part of this version yet; available: bazaar, kite, meridian, paper"
    )


def test_what_this_version_has_is_named(tola, monkeypatch):
    monkeypatch.setenv("PAPER_TRADING", "False")
    Path("tola.toml").write_text(TOML)
    write(Path("gold.csv"))

    line = refused(tola("live", "other", "--account", "future", "--confirm", "ture"))

    assert line == "venue upstox: not part of this version yet; available: kite, paper"


def test_a_real_account_is_refused_while_the_environment_says_paper(shop):
    line = refused(shop("gold", "--account", "main", "--confirm", "main"))

    assert line == (
        "account main is a real one: set PAPER_TRADING=False in the environment or in .env to "
        "trade on it, or --paper for paper fills"
    )


@pytest.mark.parametrize("word", ["True", "1", ""])
def test_only_a_plain_no_in_the_environment_opens_the_gate(shop, monkeypatch, word):
    monkeypatch.setenv("PAPER_TRADING", word)

    assert "set PAPER_TRADING=False" in refused(
        shop("gold", "--account", "main", "--confirm", "main")
    )


def test_a_settings_file_cannot_open_the_gate(shop):
    add("\n[settings]\npaper_trading = false\n")

    line = refused(shop("gold", "--account", "main", "--confirm", "main"))

    assert "counts in the environment or in .env alone" in line


def test_a_dotenv_file_beside_the_settings_is_the_environment(shop):
    Path(".env").write_text("PAPER_TRADING=False\n")

    assert "--confirm SUFFIX" in refused(shop("gold", "--account", "main"))


def test_the_environment_that_says_paper_wins_over_a_dotenv_file(shop, monkeypatch):
    monkeypatch.setenv("PAPER_TRADING", "True")
    Path(".env").write_text("PAPER_TRADING=False\n")

    assert "set PAPER_TRADING=False" in refused(
        shop("gold", "--account", "main", "--confirm", "main")
    )


def test_without_a_terminal_and_without_the_suffix_the_remedy_is_told(real):
    line = refused(real("gold", "--account", "main"))

    assert line == (
        "account main is a real one and there is no terminal to ask: "
        "--confirm SUFFIX with the last 4 characters of the account's name, main"
    )


@pytest.mark.parametrize("suffix", ["mai", "amain", "", "yes", "MAINE"])
def test_a_wrong_suffix_starts_nothing(real, suffix):
    line = refused(real("gold", "--account", "main", "--confirm", suffix))

    assert line.endswith(
        "is not the last 4 characters of the account's name, main: nothing was started"
    )


def test_where_the_venues_number_of_the_account_is_known_that_is_typed(real, monkeypatch):
    monkeypatch.setenv("MERIDIAN_ACCOUNT_ID", "70017755")
    line = refused(real("gold", "--account", "main", "--confirm", "main"))
    assert line.endswith("the last 4 characters of MERIDIAN_ACCOUNT_ID: nothing was started")
    assert "7755" not in line

    monkeypatch.setenv("MERIDIAN_ACCOUNT_ID__MAIN", "70018866")
    assert "MERIDIAN_ACCOUNT_ID__MAIN" in refused(
        real("gold", "--account", "main", "--confirm", "7755")
    )
    assert "set MERIDIAN_CLIENT_ID" in refused(
        real("gold", "--account", "main", "--confirm", "8866")
    )


def test_with_the_suffix_typed_or_given_the_gate_is_passed(real, monkeypatch):
    given = refused(real("gold", "--account", "main", "--confirm", "main"))

    questions = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text: questions.append(text) or " MAIN ")
    typed = refused(real("gold", "--account", "main"))

    assert (
        given
        == typed
        == (
            "venue meridian: set MERIDIAN_CLIENT_ID, MERIDIAN_ACCOUNT_ID in the environment or "
            "in .env"
        )
    )
    assert questions == [
        "REAL live account main at a hedging CFD broker. To trade on it, type the last 4 "
        "characters of the account's name, main"
    ]


def test_with_json_nobody_is_asked(real, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text: pytest.fail("asked"))

    said = real("gold", "--account", "main", "--json")

    assert said.code == 2
    fault = json.loads(said.out)["error"]
    assert fault["exit_code"] == 2 and "--confirm SUFFIX" in fault["message"]


def test_settings_that_only_paper_follows_are_refused_by_name(real):
    add('\n[live]\nspeed = 60\nbrackets = "kept"\npositions = "hedging"\nlatency_ms = 20\n')

    line = refused(real("gold", "--account", "main", "--confirm", "main"))

    assert line == (
        "account main is a real one, and these hold on paper alone: [live] speed = 60.0, "
        "[live] brackets = kept, [live] positions = hedging, [live] latency_ms = 20.0: "
        "leave them out, or --paper for paper fills"
    )


def test_flags_that_only_paper_follows_are_refused_by_name(real):
    line = refused(
        real("gold", "--account", "main", "--confirm", "main", "--speed", "max", "--data",
             "gold.csv", "--no-costs", "--cash", "5000")
    )  # fmt: skip

    assert "hold on paper alone: --data, --cash, --no-costs, --speed: leave them out" in line


def test_settings_of_every_session_hold_on_a_real_account_too(real):
    add("\n[live]\nhistory_bars = 500\nstale_secs = 20\n")

    assert "set MERIDIAN_CLIENT_ID" in refused(
        real("gold", "--account", "main", "--confirm", "main")
    )


def test_an_environment_must_be_chosen_and_be_one_the_venue_has(real):
    unset = refused(real("other", "--account", "unset", "--confirm", "nset"))
    add('\n[accounts.demo]\nvenue = "bazaar"\nenvironment = "demo"\n')
    other = refused(real("other", "--account", "demo", "--confirm", "demo"))

    assert unset == (
        'account unset: environment is not set: "demo" or "live" in [accounts.unset] for a real '
        "account, or --paper for paper fills"
    )
    assert other == 'account demo: environment=demo: bazaar has "live"; --paper for paper fills'


def test_a_read_only_account_runs_no_session(real):
    assert "account looker is read-only: no session can trade on it" in refused(
        real("other", "--account", "looker", "--confirm", "oker")
    )


def test_a_real_account_without_risk_rules_is_refused(real):
    Path("mine.py").write_text(EVERY_TENTH)
    words = ("--strategy", "mine.py:EveryTenth", "--instrument", "MGC", "--timeframe", "15m",
             "--account", "main", "--confirm", "main")  # fmt: skip

    assert "no risk rules, and a real account needs some: --risk PRESET" in refused(real(*words))
    assert "set MERIDIAN_CLIENT_ID" in refused(real(*words, "--risk", "gold_bot"))


def test_a_name_that_is_nearly_a_real_accounts_is_no_paper_account(real):
    line = refused(real("gold", "--account", "mian"))

    assert line.startswith("account 'mian' is not in [accounts]; did you mean 'main'?")
    assert line.endswith("--paper begins a paper account of that name")


def test_an_account_that_no_plan_names_needs_a_plan(real):
    line = refused(real("--account", "broker_in_india"))

    assert line == (
        "account broker_in_india: no plan names it: which one? "
        "python run.py live PLAN --account broker_in_india"
    )


def test_without_a_plan_those_of_the_account_are_meant(real):
    assert "set MERIDIAN_CLIENT_ID" in refused(real("--account", "main", "--confirm", "main"))


def test_a_venue_that_is_misspelt_suggests_the_right_one(real):
    add('\n[accounts.typo]\nvenue = "meridain"\nenvironment = "live"\n')

    assert "did you mean 'meridian'" in refused(real("other", "--account", "typo"))


# -- what is paper --------------------------------------------------------------------------------


def admitted(**asked):
    """Return an admission under the settings above, read as the command reads them."""
    from core.config import load

    return admit(Asked(**asked), load("tola.toml").stored(), has_rules=True)


@pytest.mark.parametrize(
    ("asked", "folder"),
    [
        ({}, None),
        ({"account": "main", "paper": True}, "paper-main"),
        ({"account": "future", "paper": True}, "paper-future"),
        ({"account": "on_paper"}, "paper-on_paper"),
        ({"account": "play"}, None),
        ({"account": "some_name_of_mine"}, None),
        ({"account": "mian", "paper": True}, None),
    ],
    ids=["no account", "--paper", "--paper at a later venue", "its environment is paper",
         "the paper venue", "no account of the settings", "--paper with a near name"],
)  # fmt: skip
def test_everything_else_is_paper_and_never_in_a_real_accounts_folder(real, asked, folder):
    admission = admitted(**asked)

    assert not admission.is_real
    assert admission.folder == folder


def test_accounts_are_read_back_from_the_stored_settings(shop):
    from core.config import load

    config = load("tola.toml")

    assert known_accounts(config.stored()) == dict(config.accounts)


def test_paper_fills_on_a_real_account_are_a_session_of_their_own(real):
    said = real("gold", "--account", "main", "--paper", "--no-report", "--speed", "max",
                "--history-bars", "20", "--json")  # fmt: skip

    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert (document["mode"], document["account"]) == ("paper", "paper-main")
    assert [path.name for path in Path("accounts").iterdir()] == ["paper-main"]


def test_a_plan_of_a_real_account_runs_on_paper_where_no_account_is_named(real):
    said = real("gold", "--no-report", "--speed", "max", "--history-bars", "20", "--json")

    assert said.code == 0, said.err
    assert json.loads(said.out)["account"] == "paper-main"
