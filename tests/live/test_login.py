"""A session whose venue wants a new login: entries off, a person told, and on by itself after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.events import Command
from core.tokens import Token, TokenStore
from live.journal import open_journal
from sandbox import Sandbox
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS
from tests.brokers.kite.market import KEY, SECRET, settings_text
from tests.cli import market
from tests.sandbox.market import CALM, OPEN, day, eventually

ROOT = Path(__file__).resolve().parents[2]
USER = "XX0000"


@pytest.fixture
def box():
    settings = KiteSettings(windows=dict.fromkeys(WINDOWS, ()))
    with Sandbox("kite", day([CALM] * 300), start=OPEN, speed=60, settings=settings) as made:
        yield made


def keep_token(box, folder):
    token = Token(box.call(box.face.login, USER), 0, 2**62, USER)
    TokenStore(folder / "tokens").write(token, "kite")


def test_a_dead_token_keeps_entries_off_until_somebody_has_logged_in(box, tmp_path):
    (tmp_path / "tola.toml").write_text(
        settings_text(box, 0) + "[live]\nreconnect_interval = 0.05\nhistory_bars = 1\n"
    )
    (tmp_path / "my.py").write_text(market.EVERY_TENTH)
    stamps = ("2024-09-03 03:45:00", "2024-09-03 03:46:00")
    market.write(tmp_path / "NIFTY-FUT_M1.csv", [[stamp, *"11111"] for stamp in stamps])
    keep_token(box, tmp_path)
    environment = {
        **os.environ, "ZERODHA_API_KEY": KEY, "ZERODHA_API_SECRET": SECRET,
        "TOLA_TOKENS_DIR": str(tmp_path / "tokens"), "ZERODHA_ACCESS_TOKEN": "",
    }  # fmt: skip
    words = ["live", "--strategy", "my.py:EveryTenth", "--instrument", "NIFTY-FUT", "--data",
             "NIFTY-FUT_M1.csv", "--tz", "UTC", "--set", "size=25", "--no-report", "--for", "3m",
             "--venue", "kite"]  # fmt: skip
    session = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *words], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "accounts" / "paper-EveryTenth" / "session.log"

    def said(text, count=1):
        def is_there():
            assert session.poll() is None, session.communicate()
            return log.exists() and log.read_text().count(text) >= count

        return eventually(is_there, 60.0)

    try:
        said("feed live")
        box.call(box.face.expire_tokens)
        said("link state=LOGIN_NEEDED")
        time.sleep(0.5)  # a few looks of the session
        keep_token(box, tmp_path)
        said("link state=CONNECTED", 2)
        time.sleep(0.5)
    finally:
        session.terminate()
        out, err = session.communicate(timeout=60)

    journal = open_journal(str(log.parent / "journal.sqlite"), "paper-EveryTenth", read_only=True)
    commands = [event for _, event in journal.events(0) if isinstance(event, Command)]
    journal.close()
    told = [item.name for item in commands if item.arguments.get("rule") == "login"]
    assert told == ["block", "unblock"], (out, err)
    (block,) = [item for item in commands if item.name == "block"
                and item.arguments["rule"] == "login"]  # fmt: skip
    assert "python run.py login kite" in block.arguments["detail"]
