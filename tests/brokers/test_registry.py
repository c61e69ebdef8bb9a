"""The registry: a line a venue, nothing loaded before it is used, errors that say what to do."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from brokers import registry
from brokers.port import PositionMode
from brokers.registry import Credentials, Login, PortRequest, check_venues, get_venue, own_variable
from core.config import Account, LiveSettings
from core.config_fields import CREDENTIALS
from core.errors import ConfigError
from core.log import forget_secrets, redact
from tests.brokers.venues import BAZAAR, MERIDIAN, NOT_YET_AMONG_THE_SETTINGS, SIX

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def both(monkeypatch):
    """Let the registry know the two made-up venues too."""
    for venue in (BAZAAR, MERIDIAN):
        monkeypatch.setitem(registry.VENUES, venue.name, venue)
    yield
    forget_secrets()


def request(**more):
    return PortRequest(Account("a"), LiveSettings(), ("MGC",), lambda event: None, **more)


# -- which there are ------------------------------------------------------------------------------


def test_paper_is_a_venue_without_login_that_sends_nothing_out():
    paper = get_venue("paper")

    assert paper.login is Login.NONE
    assert not paper.is_real
    assert paper.load_capabilities().venue == "paper"


def test_a_venue_of_a_later_version_is_told_in_one_clear_line():
    with pytest.raises(ConfigError) as caught:
        get_venue("upstox")

    assert str(caught.value) == (
        "venue upstox: not part of this version yet; available: kite, paper"
    )


def test_an_unknown_venue_suggests_the_near_one():
    with pytest.raises(ConfigError, match=r"^venue 'papper' is unknown; did you mean 'paper'\?"):
        get_venue("papper")
    with pytest.raises(ConfigError, match="did you mean 'ctrader'"):
        get_venue("ctrade")
    with pytest.raises(ConfigError, match=r"^venue 'q' is unknown; available: kite, paper$"):
        get_venue("q")


def test_importing_the_registry_loads_no_venue():
    program = (
        "import sys, brokers.registry\n"
        "print(sorted(n for n in sys.modules if n.startswith('brokers.')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = set(eval(done.stdout))
    assert loaded <= {"brokers.registry", "brokers.port", "brokers.limits", "brokers.errors"}


# -- from an entry to a port ----------------------------------------------------------------------


def test_a_port_is_made_of_the_account_its_credentials_and_the_settings(both):
    asked = request(options={"address": "http://127.0.0.1:1"})

    assert get_venue("meridian").make_port(asked) == ("port", asked)


def test_capabilities_are_read_by_shared_code_that_does_not_know_the_venue(both):
    modes = {name: get_venue(name).load_capabilities().position_mode for name in registry.VENUES}

    assert modes == {
        "paper": PositionMode.NETTING,
        "kite": PositionMode.NETTING,
        "bazaar": PositionMode.NETTING,
        "meridian": PositionMode.HEDGING,
    }


def test_a_missing_sdk_is_one_error_that_names_the_extra():
    venue = registry.Venue("kite", "Kite", "x:y", "x:y", extra="kite", modules=("no_such_sdk",))

    with pytest.raises(ConfigError) as caught:
        venue.make_port(request())

    assert str(caught.value) == (
        'venue kite cannot be loaded (no_such_sdk): python -m pip install ".[kite]"'
    )


def test_a_missing_module_inside_a_missing_package_is_missing_too():
    venue = registry.Venue("x", "X", "x:y", modules=("no_such.part", "json.decoder"))

    assert venue.missing_modules() == ["no_such.part"]


def test_an_sdk_that_is_there_and_does_not_load_is_told_the_same_way(tmp_path, monkeypatch):
    (tmp_path / "halfsdk_store.py").write_text("import halfsdk_needs_this\n")
    monkeypatch.syspath_prepend(tmp_path)
    venue = registry.Venue("half", "Half", "halfsdk_store:x", "halfsdk_store:port", extra="half")

    with pytest.raises(ConfigError, match=r"halfsdk_needs_this.*pip install \"\.\[half\]\""):
        venue.make_port(request())


def test_paper_has_no_port_without_the_prices_it_fills_on():
    with pytest.raises(ConfigError, match="a session makes it"):
        get_venue("paper").make_port(request())


# -- credentials ----------------------------------------------------------------------------------


def test_an_account_has_its_own_credentials_before_the_venues(both):
    given = {
        "MERIDIAN_CLIENT_ID": "app",
        "MERIDIAN_ACCOUNT_ID": "1",
        "MERIDIAN_ACCOUNT_ID__GOLD_DEMO": "2",
        "MERIDIAN_ACCESS_TOKEN": "token-of-all",
    }

    own = MERIDIAN.credentials_of("gold-demo", given.get)
    other = MERIDIAN.credentials_of("silver", given.get)

    assert own_variable("X", "gold-demo") == "X__GOLD_DEMO"
    assert (own.values["account_id"], other.values["account_id"]) == ("2", "1")
    assert own.values["client_id"] == "app"


def test_what_is_missing_is_told_by_when_it_is_needed(both):
    nothing = BAZAAR.credentials_of("a", {}.get)
    before_login = BAZAAR.credentials_of("a", {"BAZAAR_API_KEY": "k", "BAZAAR_API_SECRET": "s"}.get)

    assert nothing.missing == ("BAZAAR_API_KEY",)
    assert nothing.missing_for_login == ("BAZAAR_API_KEY", "BAZAAR_API_SECRET")
    assert (before_login.missing, before_login.needs_login) == ((), True)


def test_secrets_are_cut_out_of_every_line_and_shown_by_no_repr(both):
    found = MERIDIAN.credentials_of(
        "a", {"MERIDIAN_CLIENT_ID": "secretapp", "MERIDIAN_ACCOUNT_ID": "12345678"}.get
    )

    assert "secretapp" not in repr(found)
    assert redact("who: secretapp 12345678") == "who: *** 12345678"


def test_each_venue_says_the_next_thing_to_do_before_it_can_be_used(both, monkeypatch):
    known = {"BAZAAR_API_KEY": "k", "BAZAAR_API_SECRET": "s", "MERIDIAN_CLIENT_ID": "c"}

    checks = {check.venue.name: check for check in check_venues(known.get)}

    assert checks["paper"].is_ready
    assert checks["bazaar"].remedy == "python run.py login bazaar"
    assert checks["meridian"].remedy == "set MERIDIAN_ACCOUNT_ID in the environment or in .env"
    with pytest.raises(ConfigError):
        check_venues(known.get, ["kyte"])


# -- the six --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIX)
def test_what_each_of_the_six_asks_for_fits_into_an_entry(name):
    venue = SIX[name]
    variables = {item.variable for item in venue.credentials}

    assert set(CREDENTIALS[name]) <= variables
    assert variables - set(CREDENTIALS[name]) <= NOT_YET_AMONG_THE_SETTINGS
    assert venue.is_real


def test_the_six_need_a_person_at_a_browser_where_their_references_say_so():
    assert {name for name, venue in SIX.items() if venue.login.needs_person} == {
        "kite", "upstox", "ctrader",
    }  # fmt: skip


def test_no_credentials_is_what_a_venue_without_login_has():
    assert get_venue("paper").credentials_of("a", {}.get) == Credentials()


def test_a_library_that_is_there_and_does_not_load_is_named_with_its_remedy(tmp_path, monkeypatch):
    (tmp_path / "halfsdk.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    venue = replace(get_venue("kite"), modules=("halfsdk",))

    with pytest.raises(ConfigError, match=r"kite cannot be loaded \(.*nowhere_to_be_found.*pip"):
        venue.load(venue.port)
