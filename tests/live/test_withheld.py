"""Entries that were decided and never reached the venue, in recovery and in the proof."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from live.journal import open_journal
from live.proof import verify
from live.recovery import starts_of
from tests.cli import market
from tests.live.sessions import KILLED, ROOT, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:LosesJournal"


@pytest.fixture
def task(tmp_path):
    """A session whose journal is moved away and put back, and which dies later."""
    prices = market.write(tmp_path / "XAUUSD_15m.csv", market.rows(400))
    folder = tmp_path / "account"
    folder.mkdir()
    params = {"every": 3, "on": 60, "place": folder}
    params = [f"{name}={value}" for name, value in params.items()]
    flags = {"instrument": "XAUUSD", "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
             "params": params, "risk": None}  # fmt: skip
    # A failed journal is tried again after a second: some prices must be left by then.
    return {"strategy": STRATEGY, "flags": flags, "folder": str(folder), "kill_at": 0,
            "terms": {"speed": 90_000.0}}  # fmt: skip


def run(task):
    return subprocess.run(
        [sys.executable, "-m", "tests.live.sessions", json.dumps(task)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip


def proof_of(task):
    request = request_of(task["strategy"], task["flags"], task["folder"])
    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    try:
        chain = starts_of(journal.sessions(), journal.sessions()[-1].session_id)
        return verify(journal, chain, request.account, request.flats, None)
    finally:
        journal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use cannot be moved there")
def test_an_entry_the_journal_could_not_take_is_withheld_in_recovery_and_proof_too(task):
    folder = Path(task["folder"])
    (folder / "lose").touch()
    (folder / "die").touch()

    died, done = run(task), run(task)

    assert died.returncode == KILLED, died.stderr[-2000:]
    assert done.returncode == 0, done.stderr[-2000:]
    left = json.loads((folder / "result.json").read_text())
    proof = proof_of(task)
    assert left["events"] > 0
    assert proof.findings == []
    assert [item.bar for item in proof.withheld] == ["2025-03-03T15:45:00Z"]
    assert "journal: " in proof.withheld[0].what
    assert proof.trades == len(left["trades"]) > 10
