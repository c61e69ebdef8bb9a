"""The genuine SDK, unpatched, pointed at a sandbox by its own `root`."""

from __future__ import annotations

import threading
from functools import partial

from kiteconnect import KiteConnect, KiteTicker
from twisted.internet import reactor

from tests.sandbox.market import eventually

USER = "XX0000"


def connect(box, user=USER, **given):
    """Return a KiteConnect that is logged in."""
    kite = KiteConnect(box.face.settings.api_key, root=box.url, **given)
    kite.set_access_token(box.login(user))
    return kite


class Ticker:
    """A KiteTicker and all that it was told."""

    def __init__(self, box, token, tokens=(), mode="full", key=None):
        self.ticks, self.orders, self.frames, self.texts = [], [], [], []
        self.errors, self.closes, self.opened = [], [], 0
        self.tokens, self.mode = list(tokens), mode
        sdk = self.sdk = KiteTicker(
            key or box.face.settings.api_key, token, root=box.stream_url, reconnect_max_delay=5
        )
        sdk.on_open = self._open
        sdk.on_ticks = lambda ws, ticks: self.ticks.extend(ticks)
        sdk.on_order_update = lambda ws, order: self.orders.append(order)
        sdk.on_message = self._message
        sdk.on_error = lambda ws, code, reason: self.errors.append((code, str(reason)))
        sdk.on_close = lambda ws, code, reason: self.closes.append((code, str(reason)))
        start = partial(sdk.connect, threaded=True)
        if reactor.running:
            reactor.callFromThread(start)
        else:
            start()

    def _open(self, ws):
        self.opened += 1
        if self.tokens:
            ws.subscribe(self.tokens)
            if self.mode != "quote":
                ws.set_mode(self.mode, self.tokens)

    def _message(self, ws, payload, is_binary):
        (self.frames if is_binary else self.texts).append(payload)

    def ready(self, box):
        """Return when the sandbox has taken the subscription."""
        eventually(lambda: any(
            set(self.tokens) <= set(link.modes)
            and all(link.modes[token] == self.mode for token in self.tokens)
            for link in box.face.stream.connections
        ))  # fmt: skip
        return self

    def call(self, method, *given):
        """Call the SDK on its reactor's thread."""
        done = threading.Event()

        def run():
            getattr(self.sdk, method)(*given)
            done.set()

        reactor.callFromThread(run)
        done.wait(10)

    def settled(self, box):
        """Return when all that the sandbox has sent is here."""
        box.run(box.face.delivered())

    def close(self):
        """End the connection and its retries."""
        self.call("close")
