"""A real browser for the page tests, driven through its debugging pipe (no port, no driver)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1300,1200", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_SECS = 60.0


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


class Browser:
    """One headless Chromium with one tab. Use as a context manager."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (commands, answers)]

        def join() -> None:  # Chromium reads commands from 3 and answers on 4
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=join,
        )
        for end in (commands, answers, *high):
            os.close(end)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.errors: list[str] = []

    def __enter__(self) -> Browser:
        target = self._ask("Target.createTarget", {"url": "about:blank"})
        joined = self._ask("Target.attachToTarget", {**target, "flatten": True})
        self._session = joined["sessionId"]
        self._ask("Page.enable")
        self._ask("Runtime.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None
        with contextlib.suppress(OSError, EOFError):
            self._ask("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._read)
        os.close(self._write)

    def open(self, page: Path, address: str = "") -> str:
        """Open a report, wait until it is drawn and return its document.

        Raises
        ------
        AssertionError : the page's script failed, or the page was never drawn.
        """
        self.errors.clear()
        self._ask("Page.navigate", {"url": "about:blank"})
        self._ask("Page.navigate", {"url": page.as_uri() + address})
        self.wait_for("document.documentElement?.dataset.ready === 'yes'")
        return str(self.run("document.documentElement.outerHTML"))

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        wanted = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = self._ask("Runtime.evaluate", wanted)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until a JavaScript expression holds."""
        deadline = time.monotonic() + PATIENCE_SECS
        while not self.run(script):
            assert not self.errors, self.errors
            assert time.monotonic() < deadline, f"never came true: {script}"
            time.sleep(0.02)
        assert not self.errors, self.errors

    def _ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        self._number += 1
        question: dict[str, Any] = {"id": self._number, "method": method, "params": params or {}}
        if self._session:
            question["sessionId"] = self._session
        os.write(self._write, json.dumps(question).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"]["exceptionDetails"]))
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return dict(message["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 16)
            if not part:
                raise EOFError("the browser has ended")
            self._rest += part
        text, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(text))
