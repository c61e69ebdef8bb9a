"""The page on this computer on which a waiting session can be logged in: one click, no key told."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.retries import RetryPolicy
from core.events import Link, LinkState
from tests.brokers.kite.market import KEY, SECRET, free_port, start_box
from tests.brokers.kite.test_store import USER, WIDE
from tests.sandbox.market import eventually


class Waiting:
    """A store whose token has died, as a session has it, with a place to keep a new one."""

    def __init__(self, box, port, *, secret=SECRET):
        self.token = box.call(box.face.login, USER)
        self.events = []
        config = KiteConfig(
            api_root=box.url, stream_root=box.stream_url, redirect_port=port,
            login_page=f"{box.url}/connect/login",
        )  # fmt: skip
        self.store = KiteStore(
            config, lambda: KiteKeys(KEY, self.token, secret), self.events.append,
            policy=RetryPolicy(reconnect_interval=0.02), clock=lambda: box.now, windows=WIDE,
            keep=self.keep,
        )  # fmt: skip
        self.store.connect()
        self.link(LinkState.CONNECTED)
        box.call(box.face.expire_tokens)

    def keep(self, values):
        self.token = values["access_token"]

    def link(self, state, count=1):
        """Wait until a state was told so often; return the last."""

        def found():
            links = [one for one in list(self.events) if isinstance(one, Link)]
            links = [one for one in links if one.state is state]
            return links[-1] if len(links) >= count else None

        return eventually(found)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def box(port):
    made = start_box(port)
    yield made
    made.stop()


@pytest.fixture
def waiting(box, port):
    made = []

    def begin(**given):
        made.append(Waiting(box, port, **given))
        return made[-1]

    yield begin
    for one in made:
        one.store.disconnect()


def log_in(address, password="sandbox"):
    """Do what a person's browser does: open an address, fill in the form it leads to."""
    page = requests.get(address, timeout=20)
    asked = dict(part.split("=", 1) for part in urlsplit(page.url).query.split("&"))
    asked = {name: requests.utils.unquote(value) for name, value in asked.items()}
    form = {"user_id": USER, "password": password, "totp": "123456", **asked}
    return requests.post(page.url.split("?")[0], data=form, timeout=20)


def test_who_is_asked_to_log_in_is_told_the_command_and_an_address_without_a_key(waiting, port):
    needed = waiting().link(LinkState.LOGIN_NEEDED)

    assert needed.reason.endswith(
        f"log in: python run.py login kite (403 TokenException), or on this computer at "
        f"http://127.0.0.1:{port}/"
    )
    assert KEY not in needed.reason and SECRET not in needed.reason


def test_a_login_on_that_page_is_kept_and_the_session_goes_on_by_itself(waiting, port):
    account = waiting()
    account.link(LinkState.LOGIN_NEEDED)
    before = account.token

    done = log_in(f"http://127.0.0.1:{port}/")

    account.link(LinkState.CONNECTED, 2)
    assert done.status_code == 200 and account.token != before
    eventually(lambda: is_free(port))


def test_what_comes_back_of_another_login_is_not_taken_and_the_page_stays(waiting, port):
    account = waiting()
    account.link(LinkState.LOGIN_NEEDED)
    address = f"http://127.0.0.1:{port}/"

    forged = requests.get(f"{address}?request_token=x&status=success&state=y", timeout=20)
    log_in(address)

    account.link(LinkState.CONNECTED, 2)
    assert forged.status_code == 400


def test_after_a_login_that_the_venue_refuses_the_page_is_shown_anew(waiting, port):
    account = waiting(secret="another")
    account.link(LinkState.LOGIN_NEEDED)
    address = f"http://127.0.0.1:{port}/"

    log_in(address)

    eventually(lambda: is_shown(address))
    assert [one.state for one in account.events if isinstance(one, Link)][-1] is (
        LinkState.LOGIN_NEEDED
    )


def test_without_a_port_of_its_own_a_session_names_the_command_alone(box, waiting, port):
    account = waiting()
    account.link(LinkState.LOGIN_NEEDED)

    other = waiting()  # of another account, at the same redirect address
    needed = other.link(LinkState.LOGIN_NEEDED)

    assert "127.0.0.1" not in needed.reason
    assert "python run.py login kite" in needed.reason


def is_shown(address):
    try:
        return requests.get(address, timeout=20, allow_redirects=False).status_code == 302
    except requests.ConnectionError:
        return False


def is_free(port):
    return not is_shown(f"http://127.0.0.1:{port}/")
