"""Two sessions in two processes under limits they share: unknown, known again, killed as one."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import run
from backtests.verbs.samples import sample_path
from tests.cli.conftest import Said
from tests.cli.test_hands import ROOT, STRATEGY, wait_for

SETTINGS = """
[accounts.first]
venue = "paper"
[accounts.second]
venue = "paper"

[groups.both]
members = ["first", "second"]
currency = "USD"
daily_loss = 2000

[live]
speed = 300
"""
PLAN = """
[plans.{name}]
strategy = "{strategy}"
instrument = "MGC"
timeframe = "15m"
data = "{data}"
account = "{account}"
params = {{ every = 100000 }}
risk = "gold_bot"
"""


class Accounts:
    """A working folder with two accounts; each may have a session in a process of its own."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        plans = [
            PLAN.format(
                name=name, account=account, strategy=STRATEGY, data=sample_path("MGC", "15m")
            )
            for name, account in (("one", "first"), ("two", "second"))
        ]
        (folder / "tola.toml").write_text(SETTINGS + "".join(plans))

    def start(self, plan, account):
        self.processes[account] = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), "live", plan, "--no-report", "--quiet"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def status(self, account):
        try:
            return json.loads((self.folder / "accounts" / account / "status.json").read_text())
        except (OSError, ValueError):
            process = self.processes[account]
            assert process.poll() is None, process.communicate()[1]
            return {}

    def block(self, account):
        """Why the group keeps this account's entries off, None before it runs, "" for not."""
        status = self.status(account)
        if status.get("state") not in ("live", "warming up"):
            return None
        return next((row["detail"] for row in status["blocks"] if row["rule"] == "group"), "")

    def close(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=30)


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    accounts = Accounts(tmp_path)
    yield accounts
    accounts.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no signal ends one of two processes there")
def test_two_sessions_share_limits_and_one_kill_switch(accounts, capsys):
    def say(*words):
        capsys.readouterr()
        code = run.main(list(words))
        return Said(code, *capsys.readouterr())

    accounts.start("one", "first")
    wait_for(lambda: accounts.block("first"))
    alone = accounts.block("first")
    refused = say("order", "buy", "1", "--stop-loss", "1000", "--account", "first")
    accounts.start("two", "second")
    wait_for(lambda: accounts.block("second") == "" and accounts.block("first") == "")

    accounts.processes["second"].kill()
    accounts.processes["second"].communicate()
    wait_for(lambda: accounts.block("first"))
    gone = accounts.block("first")

    killed = say("kill", "--group", "both", "--reason", "enough")
    out, err = accounts.processes["first"].communicate(timeout=30)
    again = say("live", "one", "--no-report", "--quiet")
    wrong = say("release", "--group", "bth", "--confirm", "both")
    released = say("release", "--group", "both", "--confirm", "both")

    assert alone.startswith(
        "both: unknown: second: accounts/second/status.json: no session has run here"
    )
    assert refused.code == 1 and refused.out.startswith("refused by group: both: unknown: second")
    assert "both: unknown: second: process" in gone and "is gone" in gone
    assert killed.out.splitlines()[:3] == [
        "group both is killed: none of its accounts starts until release",
        "  first: flat",
        "  second: no session runs",
    ]
    assert out.startswith("killed: flat, journal closed"), err
    assert again.code == 1 and "group both is killed (enough, " in again.error
    assert wrong.code == 2 and "did you mean 'both'" in wrong.error
    assert released.out.startswith("group both may trade again")
    assert not Path("accounts/both.KILL").exists()
