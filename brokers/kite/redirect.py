"""The page on this computer that Zerodha's login comes back to: it waits for one request token."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from core.errors import BrokerError, ConfigError

_HOST = "127.0.0.1"
_DONE = b"<html><body><p>Logged in. This page can be closed.</p></body></html>"
_NOT_DONE = b"<html><body><p>Not logged in. See the terminal.</p></body></html>"


class RedirectPage:
    """Listens on loopback until a login comes back, or is given up.

    Parameters
    ----------
    port : as registered for the app, 0 for any. state : goes along and must come back with it.
    login_page : where a browser that asks for the page itself is sent on to.

    Raises
    ------
    ConfigError : the port is in use.
    """

    def __init__(self, port: int, state: str, login_page: str) -> None:
        self._state = state
        self._came = threading.Event()
        self.token = self.fault = ""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self.send_response(302)
                    self.send_header("Location", login_page)
                    self.end_headers()
                    return
                is_ours = page.take(self.path)
                self.send_response(200 if is_ours else 400)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(_DONE if is_ours else _NOT_DONE)

            def log_message(self, *_: object) -> None:
                """Write nothing: the address holds the token."""

        try:
            self._server = HTTPServer((_HOST, port), Handler)
        except OSError as cause:
            raise ConfigError(
                f"login: port {port} is in use ({cause.strerror or cause}): a session that waits "
                f"for a login shows http://{_HOST}:{port}/ to log in on; else end what uses it, "
                "--paste to paste the address, or another redirect_port in [venues.kite] and in "
                "the app's redirect address"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self._server.server_port}/"

    def take(self, path: str) -> bool:
        """Take an address that was come back to; say whether it holds a login of ours."""
        query = parse_qs(urlsplit(path).query)
        token = "".join(query.get("request_token", [])[:1])
        if not token and "status" not in query:
            return False  # a browser's own question, such as for an icon
        if query.get("status", ["success"])[0] != "success" or not token:
            self.fault = "the login page said that it did not succeed"
        elif query.get("state", [""])[0] != self._state:
            self.fault = "what came back is of another login: begin again"
            return False
        else:
            self.token, self.fault = token, ""
        self._came.set()
        return bool(self.token)

    def wait(self, timeout_secs: float | None) -> str:
        """Return the request token; None waits until it is given up.

        Raises
        ------
        BrokerError : none came in time, or the login failed.
        """
        self._came.wait(timeout_secs)
        if self.token:
            return self.token
        late = "" if timeout_secs is None else f" within {timeout_secs:.0f} s"
        why = self.fault or f"nobody logged in{late}"
        raise BrokerError(f"kite login: {why}")

    def give_up(self) -> None:
        """Let `wait` return: nobody needs the login any more."""
        self._came.set()

    def close(self) -> None:
        """Listen no more; waits for what is being answered."""
        self._server.shutdown()
        self._server.server_close()


def pasted_token(text: str) -> str:
    """Return the request token of a pasted address, or the token itself.

    Raises
    ------
    ConfigError : there is none in it.
    """
    given = text.strip()
    token = "".join(parse_qs(urlsplit(given).query).get("request_token", [])[:1])
    token = token or ("" if "/" in given or "=" in given or " " in given else given)
    if not token:
        raise ConfigError(
            "login: no request_token in what was pasted: paste the whole address the browser "
            "ended on"
        )
    return token
