"""`python run.py sandbox`, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from kiteconnect import KiteConnect

ROOT = Path(__file__).resolve().parents[2]


def begin(*words):
    """Start the verb; return the process and where it listens."""
    process = subprocess.Popen(
        [sys.executable, "run.py", "sandbox", *words], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    said = ""
    for line in process.stderr if "--json" in words else process.stdout:
        said += line
        found = re.search(r"root='(http://[^']+)'", said)
        if found and "trades" in line:
            return process, found[1]
    raise AssertionError(said + process.stderr.read())


def test_it_serves_until_it_is_ended_and_says_what_it_did(tmp_path):
    ledger = tmp_path / "box.sqlite"
    process, url = begin("kite", "--json", "--speed", "600", "--ledger", str(ledger))
    try:
        page = requests.get(f"{url}/connect/login?v=3&api_key=sandboxkey", timeout=10)
        with pytest.raises(Exception, match="Incorrect"):
            KiteConnect("sandboxkey", "x", root=url).orders()
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert page.status_code == 200
    assert process.returncode == 0
    document = json.loads(out)
    assert (document["venue"], document["requests"], document["orders"]) == ("kite", 2, 0)
    assert ledger.is_file()


def test_it_ends_with_its_prices():
    process, _ = begin("kite", "--generate", "NIFTY-FUT", "--from", "2024-09-02", "--to",
                       "2024-09-02", "--speed", "1000000", "--seed", "7")  # fmt: skip
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "the prices are over" in out


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["kit"], "did you mean 'kite'", 2),
        (["kite", "--replay", "nope_nifty50.csv"], "no such file", 1),
        (["kite", "--faults", "nope.toml"], "nope.toml: No such file", 2),
        (["kite", "--generate", "EURUSD"], "no recipe", 2),
        (["kite", "--from", "yesterday"], "expected a date", 2),
        (["kite", "--speed", "-1"], "more than 0", 2),
        (["kite", "--ticks", "jumps"], "path or trades", 2),
        (["kite", "--ledger", "."], "is there already", 2),
        (["kite", "--speed", "nan"], "more than 0", 2),
        (["kite", "--step-timeout", "0"], "more than 0", 2),
        (["kite", "--cash", "-5"], "cash=-5: expected 0 or more", 2),
        (["kite", "--port", "65536"], "port=65536: expected 0 to 65535", 2),
        (["kite", "--from", "2030-01-01"], "the prices end on", 2),
        (["kite", "--from", "2024-10-03", "--to", "2024-10-02"], "is after --to", 2),
        (["kite", "--generate", "GOLDM", "--replay", "x.csv"], "one or the other", 2),
    ],
)
def test_bad_input_is_one_line_with_the_right_code(tola, words, said, code):
    found = tola("sandbox", *words)

    assert found.code == code
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1


def test_a_wrong_plan_names_all_that_is_wrong(tola, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "dorp"\n[[fault]]\nkind = "slow"\n')

    found = tola("sandbox", "kite", "--faults", str(plan))

    assert found.code == 2
    assert len(found.err.strip().splitlines()) == 3


def test_a_port_in_use_is_named(tola):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        found = tola("sandbox", "kite", "--port", str(taken.getsockname()[1]))

    assert found.code == 2
    assert "cannot listen" in found.err


def test_a_session_that_does_not_come_to_rest_ends_the_run_with_the_packets_name():
    process, url = begin("kite", "--lock-step", "--step-timeout", "0.3")
    step = requests.post(f"{url}/_box/step", json={"session": "mine"}, timeout=30).json()
    _, err = process.communicate(timeout=60)

    assert step["packet"] == 1
    assert process.returncode == 1
    assert re.fullmatch(r"error: lock-step: packet 1 \(.*\) is not done with .* 'mine'\n", err)
