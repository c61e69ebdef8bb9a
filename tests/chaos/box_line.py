"""A line to a sandbox's own routes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

_FRESH_SECS = 0.02
_TIMEOUT_SECS = 60.0


class BoxLine:
    """Asks a sandbox how it stands, and moves it."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._known: dict[str, Any] = {}
        self._asked = float("-inf")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what one of its routes answers."""
        line = HTTPConnection(self._address, timeout=_TIMEOUT_SECS)
        try:
            line.request(method, path, None if body is None else json.dumps(body))
            reply = line.getresponse()
            answer = json.loads(reply.read())
        finally:
            line.close()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {answer}")
        return answer

    def post(self, path: str, form: Mapping[str, str]) -> Any:
        """Send a form to the venue; return what it answers."""
        with self._posted(path, form) as reply:
            return json.loads(reply.read())

    def follow(self, path: str, form: Mapping[str, str]) -> str:
        """Send a form to the venue; return where it leads."""
        with self._posted(path, form) as reply:
            return reply.headers.get("Location", "")

    @contextmanager
    def _posted(self, path: str, form: Mapping[str, str]) -> Iterator[HTTPResponse]:
        line = HTTPConnection(self._address, timeout=_TIMEOUT_SECS)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            line.request("POST", path, urlencode(form), kind)
            yield line.getresponse()
        finally:
            line.close()

    def state(self) -> dict[str, Any]:
        """Return where its market stands."""
        return dict(self.ask("GET", "/_box/state"))

    def step(self, name: str, done: int | None) -> tuple[int | None, int]:
        """Be done with a packet (None: join); return the next one and the market's time."""
        told = self.ask("POST", "/_box/step", {"session": name, "done": done})
        return told["packet"], told["now"]

    def leave(self, name: str) -> None:
        """Keep step no longer."""
        self.ask("DELETE", "/_box/step", {"session": name})

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table of its books."""
        return list(self.ask("GET", f"/_box/ledger/{table}"))

    def is_over(self) -> bool:
        """Whether its prices have come to their end; asked for not more often than matters."""
        now = time.monotonic()
        if now - self._asked > _FRESH_SECS and not self._known.get("is_over"):
            self._asked = now
            try:
                self._known = self.state()
            except OSError:
                self._known = {"is_over": True}
        return bool(self._known.get("is_over"))
