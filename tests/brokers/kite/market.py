"""A sandbox on loopback and settings that point the program at it."""

from __future__ import annotations

import socket
import sys
import textwrap

from sandbox import Sandbox
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS
from tests.sandbox.market import CALM, OPEN, day

KEY, SECRET = "sandboxkey", "sandboxsecret"
BROWSER = textwrap.dedent(
    """
    import sys
    from urllib.parse import parse_qs, urlsplit

    import requests

    address = sys.argv[1]
    asked = {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}
    form = {"user_id": "XX0000", "password": "sandbox", "totp": "123456", **asked}
    requests.post(address.split("?")[0], data=form, timeout=20)
    """
)
"""A browser with a person before it: it fills in the login page and follows where that leads."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_box(port, prices=None, speed=None, **settings):
    """Return a running sandbox whose app comes back to a port of this computer."""
    settings.setdefault("windows", dict.fromkeys(WINDOWS, ()))
    wanted = KiteSettings(redirect_url=f"http://127.0.0.1:{port}/", **settings)
    prices = day([CALM] * 30) if prices is None else prices
    return Sandbox("kite", prices, start=OPEN, speed=speed, settings=wanted).start()


def settings_text(box, port):
    """Return [venues.kite] that leads to a sandbox."""
    return (
        "[venues.kite]\n"
        f'api_root = "{box.url}"\nstream_root = "{box.stream_url}"\n'
        f'login_page = "{box.url}/connect/login"\nclock_url = "{box.url}/_box/state"\n'
        f"redirect_port = {port}\n"
    )


def browser(folder):
    """Write the browser; return what the variable BROWSER names it by."""
    path = folder / "browser.py"
    path.write_text(BROWSER, encoding="utf-8")
    return f"{sys.executable} {path} %s"
