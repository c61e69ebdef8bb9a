"""Hands on a session of another process, and what the same verbs say where none runs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run
from backtests.verbs.samples import sample_path
from live.account_folder import account_folder
from live.kill import KillSwitch
from live.lock import AccountLock
from live.mailbox import Mailbox
from live.monitor import SessionState, write
from tests.cli.conftest import Said
from tests.cli.test_next_step import parses
from tests.live.status_sample import sample

ROOT = Path(__file__).resolve().parents[2]
STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"


class Desk:
    """A working folder with one session in another process, and its command line in this one."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.process = None

    def start(self, *words):
        command = ["live", "--strategy", STRATEGY, "--set", "every=100000", "--no-report",
                   "--instrument", "MGC", "--data", sample_path("MGC", "15m"),
                   # After so many bars the market has just opened: no break for minutes to come.
                   "--history-bars", "1004", "--speed", "300"]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *command, *words],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for(self.is_live)

    def is_live(self):
        assert self.process.poll() is None, self.process.communicate()[1]
        found = list(self.folder.glob("accounts/*/status.json"))
        document = json.loads(found[0].read_text()) if found else {}
        return document.get("state") == "live" and document["feeds"][0]["last_price"]

    def say(self, *words):
        """Run a command line, as a person would beside the session."""
        self._capsys.readouterr()
        code = run.main([str(word) for word in words])
        return Said(code, *self._capsys.readouterr())

    def ask(self, *words):
        """Return the JSON document of a command."""
        return json.loads(self.say(*words, "--json").out)

    def ended(self):
        """Wait for the session's own end; return what it printed last and its exit code."""
        out, err = self.process.communicate(timeout=30)
        assert "Traceback" not in err
        return out, self.process.returncode

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
            self.process.communicate(timeout=30)


def wait_for(condition, within=30.0):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, capsys)
    yield desk
    desk.close()


def price_of(desk):
    return desk.ask("quote")["quotes"][0]["last_price"]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a closed terminal's programs itself")
def test_a_terminal_that_closes_ends_the_session_in_order(desk):
    desk.start()
    desk.say("order", "buy", 2)

    desk.process.send_signal(signal.SIGHUP)
    out, code = desk.ended()

    assert code == 0
    assert out.startswith("interrupted: flat, journal closed")


def test_a_day_at_the_desk(desk):
    """Orders, closes, limits, pause and stop, each answered with what happened; then the proof."""
    desk.start("--risk", "gold_bot")
    status, quote = desk.say("status"), desk.say("quote", "MGC")
    document = desk.ask("status")
    price = round(price_of(desk))
    stop, low = price - 16.0, price - 300.0

    naked = desk.say("order", "buy", 2)
    bought = desk.say("order", "buy", 2, "MGC", "--stop-loss", stop, "--take-profit", 9000)
    position = desk.say("positions")
    waiting = desk.ask("order", "buy", 2, "--limit", low, "--stop-loss", low - 20)
    number = waiting["order_id"].rpartition("-")[2].lstrip("0")
    listed = desk.say("orders")
    moved = desk.say("order", "modify", number, "--price", low + 4)
    ended = desk.say("order", "cancel", number)
    half = desk.say("close", "hand", "--half")
    tighter = desk.say("set", "account", "daily_loss=400", "max_quantity=3")
    looser = desk.say("set", "account", "daily_loss=500")
    wrong = desk.say("set", "account", "daly_loss=500")
    paused = desk.say("pause", "--reason", "lunch")
    refused = desk.say("order", "buy", 2, "--stop-loss", stop)
    state = desk.ask("status")["state"]
    resumed = desk.say("resume")
    flat = desk.say("flatten")
    nothing = desk.say("close")
    stopped = desk.say("stop", "--reason", "enough")
    out, code = desk.ended()
    over, after = desk.say("close"), desk.say("status")
    proof = desk.say("verify", "last")

    assert status.out.startswith("PAPER EveryBars MGC | day $0 of -$800 | flat | ")
    assert re.search(r"^as of .* ago$", status.out, flags=re.M)
    assert re.match(r"MGC  [\d.]+  bid [\d.]+  ask [\d.]+  \d\d:\d\d:\d\d New York", quote.out)
    assert (document["schema"], document["stale"]) == (1, False)
    assert naked.code == 1
    assert naked.out.startswith("refused by no_stop: the entry has no stop (limit 500)\nsay where ")
    assert re.match(
        rf"bought 2 MGC @ [\d.]+ \(order \S+, stop {stop:g}, target 9000\)\n", bought.out
    )
    assert re.match(rf"hand MGC long 2 @ .* stop {stop:g}  target 9000 .* protected", position.out)
    assert waiting["text"].startswith(f"buy 2 MGC limit {low:g} working")
    assert f"buy 2 MGC   limit @ {low:g}" in listed.out
    assert moved.out.startswith(f"order {waiting['order_id']}: price {low + 4:g}\n")
    assert ended.out.startswith(f"order {waiting['order_id']} cancelled\n")
    assert half.out.startswith("closed 1 MGC @ ")
    assert [line.partition(" from")[0] for line in tighter.out.splitlines()[:2]] == [
        "account: daily_loss 800 -> 400", "account: max_quantity 50 -> 3",
    ]  # fmt: skip
    assert looser.code == 1
    assert "500 against a limit of 400 (hard limits only tighten until the next" in looser.out
    assert (wrong.code, "did you mean 'daily_loss'" in wrong.error) == (2, True)
    assert paused.out.startswith("entries off\n")
    assert (refused.code, refused.out.splitlines()[0]) == (1, "refused by paused: lunch")
    assert state == "paused"
    assert resumed.out.startswith("entries on\n")
    assert re.match(r"closed 1 MGC @ [\d.]+; cancelled 2 of 2 orders\n", flat.out)
    assert (nothing.code, nothing.out.splitlines()[0]) == (
        1, "nothing to close: no position is open",
    )  # fmt: skip
    assert stopped.out.startswith("enough: flat\n")
    assert (code, "enough: flat, journal closed" in out) == (0, True)
    assert over.code == 1
    assert re.search(r"no session running \(last one ended \S+Z: enough\): start it", over.error)
    assert "the session has ended (enough)" in after.out
    assert proof.out.startswith("IDENTICAL"), proof.out
    for said in (status, quote, naked, bought, position, listed, moved, half, paused, resumed, flat,
                 stopped, after):  # fmt: skip
        parses(said.out.splitlines()[-1])


def test_every_act_and_its_author_is_in_the_journal(desk):
    desk.start()
    desk.say("pause")
    desk.say("order", "buy", 1)
    desk.say("set", "account", "trade_risk=300")
    desk.say("stop")
    desk.ended()

    notes = journal_notes(desk)

    author = notes[0]["author"]
    told = [(item["command"], item["text"].partition(" from")[0]) for item in notes
            if "command" in item]  # fmt: skip
    assert author not in ("", "session")
    assert told == [
        ("pause", "entries off"),
        ("order", "refused by paused: paused by hand"),
        ("set", "account: trade_risk none -> 300"),
        ("stop", "the session ends"),
    ]
    change = next(item for item in notes if "arguments" in item and item["name"] == "set")
    assert {item["author"] for item in notes} == {author}
    assert change["arguments"].keys() == {"plan", "name", "value", "old", "bar"}


def journal_notes(desk):
    """Return what people did and were told, by the journal."""
    import sqlite3

    (path,) = desk.folder.glob("accounts/*/journal.sqlite")
    with sqlite3.connect(path) as file:
        rows = file.execute(
            "SELECT document FROM notes WHERE kind IN ('command', 'answer') ORDER BY note_id"
        )
        notes = [json.loads(text) for (text,) in rows]
    return [item for item in notes if item["author"] != "session"]


def test_kill_flattens_and_only_the_typed_name_lets_it_trade_again(desk):
    desk.start()
    desk.say("order", "buy", 1)
    name = desk.ask("status")["account"]

    killed = desk.say("kill", "--reason", "feed is wrong")
    out, code = desk.ended()
    shown = desk.say("status")
    again = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "kill"], cwd=desk.folder, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    unnamed, wrong = desk.say("release"), desk.say("release", "--confirm", "me")
    released = desk.say("release", "--confirm", name)
    twice = desk.say("release", "--confirm", name)

    assert killed.out.startswith(f"account {name} is killed: flat, session ended\n")
    assert killed.code == 0
    assert (code, out.startswith("killed: flat")) == (1, True)
    assert re.search(r"^KILLED by \S+ at \S+Z: feed is wrong$", shown.out, flags=re.M)
    assert shown.out.endswith(f"next: python run.py release --account {name}\n")
    assert again.returncode == 0
    assert "is killed already; no session runs" in again.stdout
    assert (unnamed.code, "feed is wrong" in unnamed.error) == (2, True)
    assert (wrong.code, "type the account's name" in wrong.error) == (2, True)
    assert released.out.startswith(f"account {name} may trade again\n")
    assert twice.out.startswith(f"account {name} is not killed\n")
    log = (desk.folder / "accounts" / name / "session.log").read_text()
    assert re.search(r"account released author=\S+ killed_by=\S+ reason=feed is wrong", log)


# -- without a session -----------------------------------------------------------------------


def account(name, status=None):
    """Make an account's folder, with a status if one is given."""
    folder = account_folder(name).make()
    if status is not None:
        write(folder.status, status)
    return folder


def test_without_any_account_one_line_says_how_to_start_one(desk):
    for verb in ("status", "positions", "orders", "quote"):
        said = desk.say(verb)
        assert (said.code, said.out) == (0, "no session has run here\nnext: python run.py live\n")
    for words in (["close"], ["order", "buy", "1"], ["kill"], ["release"]):
        said = desk.say(*words)
        assert (said.code, said.error) == (
            1, "error: no account has run here: start one: python run.py live",
        )  # fmt: skip


def test_of_several_accounts_one_must_be_named_unless_one_alone_runs(desk):
    account("demo", sample())
    folder = account("other", sample(account="other"))

    unnamed = desk.say("status")
    with AccountLock(folder, "paper", ["gold"]):
        running = desk.say("status")
    named = desk.say("positions", "--account", "demo")
    near = desk.say("positions", "--account", "dmeo")

    assert unnamed.code == 2
    assert unnamed.error == (
        "error: which account? name one with --account: demo (idle); other (idle)"
    )
    assert "account other at sandbox" in running.out
    assert named.out.startswith("gold MGC long 3 @ 2412.4  now 2413  stop 2408.1  target 2421  ")
    assert named.out.splitlines()[-1] == "next: python run.py close gold --account demo"
    assert near.error == "error: account 'dmeo'; did you mean 'demo'? (known: demo, other)"


def test_a_status_says_how_old_it_is_and_what_that_means(desk):
    account("demo", sample(wall_time=time.time_ns() - 34 * 10**9))
    old = desk.say("status")
    account("demo", sample(pid=2**22 + 1))
    gone = desk.say("positions")

    assert "STALE, 34 s old: not written for 34 s; what is open may have changed since" in old.out
    assert "STALE" in gone.out
    assert f"process {2**22 + 1} is gone" in gone.out
    assert gone.out.endswith("next: python run.py live gold --account demo\n")


def test_watch_shows_lines_in_a_pipe_and_ends_with_the_session(desk):
    account("demo", sample(state=SessionState.ENDED, exit_reason="end of data"))

    said = desk.say("status", "--watch")

    assert said.err.startswith("PAPER gold MGC | ENDED: end of data")
    assert "the session has ended (end of data)" in said.out
    assert desk.say("status", "--watch", "--json").code == 2


def test_a_request_that_nobody_takes_is_withdrawn_and_said_so(desk, monkeypatch):
    folder = account("demo", sample())
    monkeypatch.setattr("live.verbs.accounts.ANSWER_SECS", 0.2)

    with AccountLock(folder, "paper", ["gold"]):
        said = desk.say("pause")

    assert said.code == 1
    assert "no session took the request, it is withdrawn and nothing was done" in said.error
    assert Mailbox(folder.commands).take() == []


def test_wrong_words_are_wrong_usage_before_anyone_is_asked(desk):
    account("demo", sample())
    wrong = (
        ["close", "--share", "2"],
        ["close", "--half", "--share", "0.2"],
        ["order", "modify", "12"],
        ["order", "buy", "much"],
        ["set", "gold", "rr"],
    )

    for words in wrong:
        assert desk.say(*words).code == 2, words


def test_kill_without_a_session_keeps_any_from_starting(desk):
    folder = account("demo", sample(state=SessionState.ENDED, exit_reason="stopped"))

    said = desk.say("kill", "--reason", "holiday")

    assert said.code == 0
    assert "no session runs, none starts until it is released" in said.out
    assert KillSwitch(folder.kill, "demo").note().reason == "holiday"
