"""`login`, `doctor` and `data fetch` at Kite: the program and the genuine SDK against a sandbox."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from core.tokens import TokenStore
from tests.brokers.kite.market import KEY, SECRET, browser, free_port, settings_text, start_box
from tests.sandbox.market import OPEN


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def box(port):
    made = start_box(port)
    yield made
    made.stop()


@pytest.fixture
def kite(tola, tmp_path, box, port, monkeypatch):
    """The command line in a folder whose settings lead to the sandbox, keys in the environment."""
    Path("tola.toml").write_text(settings_text(box, port))
    monkeypatch.setenv("TOLA_TOKENS_DIR", str(tmp_path / "tokens"))
    monkeypatch.setenv("TOLA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("ZERODHA_API_KEY", KEY)
    monkeypatch.setenv("ZERODHA_API_SECRET", SECRET)
    monkeypatch.delenv("ZERODHA_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("BROWSER", browser(tmp_path))
    return tola


def kept_token(tmp_path):
    return json.loads((tmp_path / "tokens" / "kite.json").read_text())["value"]


# -- login -----------------------------------------------------------------------------------


def test_a_login_comes_back_from_the_browser_and_is_kept_for_its_owner_alone(kite, tmp_path):
    said = kite("login", "kite")

    assert (said.code, said.out.splitlines()[0]) == (
        0, "logged in at Zerodha Kite as XX0000, until 2024-09-05 00:30 UTC",
    )  # fmt: skip
    file = tmp_path / "tokens" / "kite.json"
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert kept_token(tmp_path) not in said.out + said.err


def test_check_says_whether_the_login_lives(kite, box, tmp_path):
    before = kite("login", "kite", "--check")
    kite("login", "kite")
    lives = kite("login", "kite", "--check", "--json")
    box.call(box.face.expire_tokens)
    dead = kite("login", "kite", "--check")

    assert (before.code, "there is no token of today" in before.out) == (1, True)
    assert (lives.code, json.loads(lives.out)["user"]) == (0, "XX0000")
    assert dead.code == 1
    assert "Incorrect `api_key` or `access_token`" in dead.out
    assert "next: python run.py login kite" in dead.out
    assert kept_token(tmp_path) not in dead.out + dead.err


def test_a_token_is_dead_at_six_in_the_morning(kite, box, tmp_path):
    kite("login", "kite")
    box.call(setattr, box.exchange, "now", OPEN + 24 * 3600 * 10**9)

    said = kite("login", "kite", "--check")

    assert (said.code, "there is no token of today" in said.out) == (1, True)


@pytest.mark.parametrize(
    ("missing", "said"),
    [("ZERODHA_API_KEY", "set ZERODHA_API_KEY"), ("ZERODHA_API_SECRET", "set ZERODHA_API_SECRET")],
)
def test_without_keys_it_says_which_to_set(kite, monkeypatch, missing, said):
    monkeypatch.delenv(missing)

    done = kite("login", "kite")

    assert (done.code, said in done.error) == (2, True)


def test_a_wrong_secret_is_refused_and_never_shown(kite, monkeypatch):
    monkeypatch.setenv("ZERODHA_API_SECRET", "planted-wrong-secret")

    said = kite("login", "kite")

    assert said.code == 1
    assert "Invalid `checksum`" in said.err and "python run.py login kite" in said.err
    assert "planted-wrong-secret" not in said.out + said.err


def test_a_port_in_use_is_named_with_what_to_do(kite, port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()

        said = kite("login", "kite")

    assert said.code == 2
    assert f"port {port} is in use" in said.error and "--paste" in said.error


def test_a_token_that_others_may_read_is_refused(kite, tmp_path):
    kite("login", "kite")
    file = tmp_path / "tokens" / "kite.json"
    if os.name == "nt":
        pytest.skip("rights are kept otherwise there")
    file.chmod(0o644)

    said = kite("login", "kite", "--check")

    assert (said.code, f"chmod 600 {file}" in said.error) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("login", "paper"), "there is nothing to log in to"),
        (("login", "kit"), "did you mean 'kite'"),
        (("login", "kite", "--account", "mine"), "account 'mine' is not in the settings"),
        (("doctor", "paper"), "there is nothing to examine"),
    ],
    ids=str,
)
def test_wrong_names_are_told(kite, words, said):
    done = kite(*words)

    assert (done.code, said in done.error) == (2, True)


# -- doctor ----------------------------------------------------------------------------------


def test_doctor_looks_at_keys_token_round_trip_contracts_clock_and_ip(kite):
    kite("login", "kite")

    said = kite("doctor", "kite", "--json")

    checks = {row["name"]: row for row in json.loads(said.out)["checks"]}
    assert said.code == 0
    assert list(checks) == ["keys", "token", "round trip", "contracts", "clock", "IP"]
    assert "dies at 2024-09-05 06:00 IST" in checks["token"]["text"]
    assert "p50" in checks["round trip"]["text"]
    assert "NIFTY24SEPFUT (NFO, expires 2024-09-26)" in checks["contracts"]["text"]
    assert checks["IP"]["state"] == "warn"


def test_doctor_without_a_login_says_so(kite):
    said = kite("doctor", "kite")

    assert said.code == 1
    assert "FAIL  token: none of today: python run.py login kite" in said.out
    assert said.out.rstrip().endswith("next: python run.py login kite")


def test_doctor_names_a_venue_that_is_down(kite, box, monkeypatch):
    kite("login", "kite")
    text = Path("tola.toml").read_text().replace(box.url, f"http://127.0.0.1:{free_port()}", 1)
    Path("tola.toml").write_text(text)

    said = kite("doctor", "kite")

    assert said.code == 1
    assert "cannot be reached" in said.out


def test_doctor_compares_the_ip_with_the_registered_one(kite):
    kite("login", "kite")
    with Path("tola.toml").open("a") as file:
        file.write('static_ip = "127.0.0.1"\n')

    said = kite("doctor", "kite")

    assert "ok    IP: 127.0.0.1, as registered" in said.out


def test_a_setting_of_the_venue_that_is_wrong_is_named(kite):
    with Path("tola.toml").open("a") as file:
        file.write('product = "BO"\nproduct_type = 1\n')

    said = kite("doctor", "kite")

    assert said.code == 2
    assert "venues.kite.product_type: unknown; did you mean 'product'" in said.err


def test_credentials_in_the_settings_file_are_refused(kite):
    with Path("tola.toml").open("a") as file:
        file.write('api_key = "planted"\n')

    said = kite("doctor", "kite")

    assert (said.code, "planted" in said.err) == (2, False)
    assert "credentials belong in the environment" in said.err


# -- data fetch ------------------------------------------------------------------------------


def test_fetch_writes_bars_with_their_origin(kite):
    kite("login", "kite")

    said = kite("data", "fetch", "kite", "NIFTY-FUT", "--from", "2024-08", "--json")
    checked = kite("data", "check", "prices/kite-NIFTY-FUT-1m.parquet")

    told = json.loads(said.out)
    assert (said.code, told["bars"], told["first"]) == (0, 1, "2024-09-03 03:45 UTC")
    assert any("no minutes of expired contracts" in note for note in told["notes"])
    assert "made by data fetch from kite NIFTY24SEPFUT" in checked.out


def test_an_interrupted_fetch_goes_on_where_it_was(kite, box):
    kite("login", "kite")
    words = ("data", "fetch", "kite", "NIFTY-FUT", "--from", "2024-04", "--json")
    box.add_fault("status", on="historical", skip=2, count=1, status=400, error="InputException")

    first = kite(*words)
    again = kite(*words)

    told = json.loads(again.out)
    assert (first.code, again.code) == (1, 0)
    assert (told["kept"], told["requests"]) == (2, 1)
    assert not list(Path("prices").glob(".*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("NIFTY", "--from", "2024"), "NIFTY"),
        (("MGC", "--from", "2024"), "MGC is not traded there"),
        (("NIFTY-FUT", "--from", "soon"), "--from soon"),
        (("NIFTY-FUT", "--from", "2099"), "lies in the future"),
        (("NIFTY-FUT", "--from", "2024-09", "--to", "2024-08"), "lies after"),
        (("NIFTY-FUT", "--from", "2024", "--timeframe", "7m"), "kite has no bars of 7m; it has 1m"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, tuple) else "",
)
def test_a_wrong_wish_is_told(kite, words, said):
    kite("login", "kite")

    done = kite("data", "fetch", "kite", *words)

    assert (done.code, said in done.err) == (2, True)


def test_tokens_are_kept_by_account(tmp_path):
    from core.tokens import Token

    store = TokenStore(tmp_path / "tokens")
    store.write(Token("first-made-up", 1, 2, "A"), "kite", "one")
    store.write(Token("second-made-up", 1, 2, "B"), "kite", "two")

    assert store.read("kite", "one").user == "A"
    assert store.read("kite", "two").value == "second-made-up"
    assert store.read("kite") is None
    store.forget("kite", "one")
    assert store.read("kite", "one") is None
