"""Where a person logs in while a session waits for it: a page on this computer."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping

from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.login import STATE_BYTES, login_address, token_of
from brokers.kite.redirect import RedirectPage
from core.errors import TolaError

logger = logging.getLogger(__name__)

Keep = Callable[[Mapping[str, str]], None]


class LoginDesk:
    """Shows the page as long as a login is needed; any thread may open and close it.

    A browser that asks for it is sent on to the venue's login page, and comes back to it. So an
    alert names an address of this computer, without a key; what the session trades with is renewed
    by one click.

    Parameters
    ----------
    keys : returns the account's keys. keep : puts a token where `keys` finds it; None: nowhere.
    renewed : called once a new one is there.
    """

    def __init__(
        self,
        config: KiteConfig,
        keys: Callable[[], KiteKeys],
        keep: Keep | None,
        renewed: Callable[[], None],
    ) -> None:
        self._config = config
        self._keys = keys
        self._keep = keep
        self._renewed = renewed
        self._lock = threading.Lock()
        self._page: RedirectPage | None = None

    def open(self) -> str:
        """Show the page; return its address, "" where there is none to show."""
        keys, keep = self._keys(), self._keep
        if keep is None or not keys.api_key or not keys.api_secret:
            return ""
        with self._lock:
            if self._page is not None:
                return self._page.address
            client = KiteClient(self._config, lambda: keys)
            state = secrets.token_urlsafe(STATE_BYTES)
            try:
                page = RedirectPage(self._config.redirect_port, state, login_address(client, state))
            except TolaError as fault:
                logger.warning("no login page of our own error=%s", fault)
                return ""
            self._page = page
        threading.Thread(
            target=self._wait, args=(page, client, keep), name="kite-login", daemon=True
        ).start()
        return page.address

    def close(self) -> None:
        """Show it no more; returns at once, safe to call again."""
        with self._lock:
            page, self._page = self._page, None
        if page is not None:
            page.give_up()

    def _wait(self, page: RedirectPage, client: KiteClient, keep: Keep) -> None:
        """Take the login that comes back; after one that failed the page is shown anew."""
        fault: TolaError | None = None
        try:
            token = token_of(client, page.wait(None))
            keep({
                "access_token": token.value, "made": str(token.made),
                "expires": str(token.expires), "user": token.user,
            })  # fmt: skip
        except TolaError as failure:
            fault = failure
        finally:
            page.close()
        with self._lock:
            is_wanted = self._page is page
            if is_wanted:
                self._page = None
        if fault is None:
            self._renewed()
        elif is_wanted:
            logger.warning("login failed error=%s", fault)
            self.open()
