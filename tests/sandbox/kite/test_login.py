"""Kite's login: page, request token, session, and its end at six in the morning."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException, TokenException

from sandbox.kite.sessions import totp
from tests.sandbox.kite.client import USER, connect
from tests.sandbox.market import CALM, day, minutes

FORM = {"user_id": USER, "password": "sandbox", "totp": "123456"}


def enter(box, **given):
    """Post the login page's form and return the answer, redirects not followed."""
    return requests.post(
        f"{box.url}/connect/login", {"api_key": "sandboxkey", **FORM, **given},
        allow_redirects=False, timeout=10,
    )  # fmt: skip


def test_the_whole_flow_ends_in_a_session(box):
    page = requests.get(f"{box.url}/connect/login?v=3&api_key=sandboxkey", timeout=10)
    reply = enter(box, redirect_params="state=abc&n=1")
    query = parse_qs(urlsplit(reply.headers["Location"]).query)

    kite = KiteConnect("sandboxkey", root=box.url)
    session = kite.generate_session(query["request_token"][0], "sandboxsecret")

    assert 'name="password"' in page.text
    assert reply.status_code == 302
    assert reply.headers["Location"].startswith("http://127.0.0.1:8765/?")
    assert (query["action"], query["status"]) == (["login"], ["success"])
    assert (query["state"], query["n"]) == (["abc"], ["1"])
    assert (session["user_id"], session["api_key"]) == (USER, "sandboxkey")
    assert session["login_time"].date() == date(2024, 9, 4)
    assert kite.profile()["user_id"] == USER


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"totp": "12345"}, {"user_id": "ZZ9999"}])
def test_a_wrong_login_shows_the_page_again(box, wrong):
    reply = enter(box, **wrong)

    assert reply.status_code == 403
    assert "Wrong user, password or TOTP." in reply.text


def test_with_a_secret_only_its_code_of_now_passes(start):
    box = start(settings={"totp_secret": "JBSWY3DPEHPK3PXP"})
    import time

    assert enter(box, totp="000000" if totp("JBSWY3DPEHPK3PXP", time.time()) != "000000"
                 else "000001").status_code == 403  # fmt: skip
    assert enter(box, totp=totp("JBSWY3DPEHPK3PXP", time.time())).status_code == 302


def test_codes_are_those_of_rfc_6238():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    assert [totp(secret, at) for at in (59, 1111111109, 2000000000)] == [
        "287082", "081804", "279037",
    ]  # fmt: skip


def test_an_unknown_app_has_no_page(box):
    reply = requests.get(f"{box.url}/connect/login?v=3&api_key=other", timeout=10)

    assert (reply.status_code, reply.json()["error_type"]) == (400, "InputException")


def test_a_request_token_is_good_once(box):
    kite = KiteConnect("sandboxkey", root=box.url)
    request_token = box.call(box.face.sessions.request_token, USER)
    kite.generate_session(request_token, "sandboxsecret")

    with pytest.raises(TokenException, match="invalid or has expired"):
        kite.generate_session(request_token, "sandboxsecret")


def test_a_wrong_secret_is_refused(box):
    kite = KiteConnect("sandboxkey", root=box.url)

    with pytest.raises(TokenException, match="checksum"):
        kite.generate_session(box.call(box.face.sessions.request_token, USER), "wrong")


def test_tokens_die_at_six_in_the_morning_and_the_hook_is_called(start):
    next_day = day([CALM] * 2)
    bars = next_day.series.bars
    later = minutes([CALM], start=int(bars["start"][-1]) + 24 * 3600 * 10**9)
    import numpy as np

    from sandbox.course import replayed

    series = next_day.series.with_bars(np.concatenate([bars, later]))
    box = start(replayed(series, instrument=next_day.instrument))
    kite, called = connect(box), []
    kite.set_session_expiry_hook(lambda: called.append(True))
    box.play_until(int(bars["end"][-1]))
    assert kite.profile()

    box.play()

    with pytest.raises(TokenException) as caught:
        kite.profile()
    assert (caught.value.code, called) == (403, [True])
    kite.set_access_token(box.login())
    assert kite.profile()


def test_a_new_login_ends_the_one_before(box, kite):
    connect(box)

    with pytest.raises(TokenException):
        kite.profile()


def test_logging_out_ends_the_session(box, kite):
    assert kite.invalidate_access_token(kite.access_token) is True

    with pytest.raises(TokenException):
        kite.orders()


def test_without_a_token_nothing_is_told(box):
    with pytest.raises(TokenException):
        KiteConnect("sandboxkey", root=box.url).margins()


def test_an_unknown_path_is_a_404(box, kite):
    headers = {"Authorization": f"token {kite.api_key}:{kite.access_token}"}
    reply = requests.get(f"{box.url}/nothing", headers=headers, timeout=10)

    assert (reply.status_code, reply.json()["message"]) == (404, "Route not found")
    with pytest.raises(InputException):
        kite.margins("nonsense")
