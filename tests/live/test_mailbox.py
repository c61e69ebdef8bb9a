"""Letters to a session: carried out once, in order, or not at all, whoever dies when."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import ConfigError, TolaError
from core.log import forget_secrets, register_secrets
from live.mailbox import KEPT_SECS, LARGEST_BYTES, Mailbox, Unanswered

ROOT = Path(__file__).resolve().parents[2]
DONE = {"outcome": "done", "text": "paused"}


@pytest.fixture
def box(tmp_path):
    """The sender's end; `engine` makes the other."""
    return Mailbox(tmp_path)


def engine(tmp_path):
    return Mailbox(tmp_path)


def files(tmp_path):
    return sorted(path.suffix for path in tmp_path.iterdir())


def serve(mailbox, document, seconds=2.0):
    """Answer one request as an engine would, from its own thread."""

    def run():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for request in mailbox.take():
                mailbox.answer(request, document)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_request_reaches_the_engine_as_it_was_sent(box, tmp_path):
    request_id = box.send("close", {"symbol": "MGC", "quantity": 2}, "ann")

    (request,) = engine(tmp_path).take()

    assert (request.id, request.name, request.author) == (request_id, "close", "ann")
    assert request.arguments == {"symbol": "MGC", "quantity": 2}
    assert abs(request.sent - time.time_ns()) < 5e9


def test_the_answer_comes_back_and_nothing_is_left_behind(box, tmp_path):
    thread = serve(engine(tmp_path), {**DONE, "position": 0.0})
    request_id = box.send("pause", {}, "ann")

    answer = box.answer_of(request_id, 5)

    thread.join()
    assert answer == {"id": request_id, "outcome": "done", "text": "paused", "position": 0.0}
    assert files(tmp_path) == []


def test_requests_come_oldest_first(box, tmp_path):
    names = [f"n{number}" for number in range(30)]
    for name in names:
        box.send(name, {}, "ann")

    assert [request.name for request in engine(tmp_path).take()] == names


def test_each_request_is_taken_by_one_alone(box, tmp_path):
    box.send("flatten", {}, "ann")

    taken = [engine(tmp_path).take(), engine(tmp_path).take()]

    assert [len(requests) for requests in taken] == [1, 0]


def test_between_looks_the_folder_is_left_alone(tmp_path):
    mailbox = engine(tmp_path)
    mailbox.take()
    mailbox.send("pause", {}, "ann")

    at_once = mailbox.take()
    time.sleep(0.06)

    assert (at_once, len(mailbox.take())) == ([], 1)


def test_asking_on_every_cycle_costs_next_to_nothing(tmp_path):
    mailbox = engine(tmp_path)
    began = time.perf_counter()

    for _ in range(100_000):
        mailbox.take()

    assert time.perf_counter() - began < 2.0


def test_a_request_nobody_took_for_a_minute_is_expired_and_never_acted_on(tmp_path):
    box = Mailbox(tmp_path, wall_clock=lambda: time.time_ns() - 61 * 10**9)
    request_id = box.send("flatten", {}, "ann")

    taken = engine(tmp_path).take()

    assert taken == []
    assert box.answer_of(request_id, 0)["outcome"] == "expired"
    assert files(tmp_path) == []


def test_a_request_sent_while_the_engine_restarts_is_carried_out(tmp_path):
    box = Mailbox(tmp_path, wall_clock=lambda: time.time_ns() - 30 * 10**9)
    box.send("flatten", {}, "ann")

    assert [request.name for request in engine(tmp_path).take()] == ["flatten"]


def test_without_an_engine_the_request_is_withdrawn(box, tmp_path):
    request_id = box.send("flatten", {}, "ann")

    with pytest.raises(Unanswered, match="withdrawn and nothing was done") as caught:
        box.answer_of(request_id, 0.05)

    assert not caught.value.was_taken
    assert engine(tmp_path).take() == []


def test_taken_and_not_answered_is_unknown_not_refused(box, tmp_path):
    request_id = box.send("flatten", {}, "ann")
    engine(tmp_path).take()

    with pytest.raises(Unanswered, match="look before you repeat it") as caught:
        box.answer_of(request_id, 0.05)

    assert caught.value.was_taken


TAKE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from live.mailbox import Mailbox
assert len(Mailbox(Path(sys.argv[1])).take()) == 1
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_what_a_killed_session_took_is_not_carried_out_again(box, tmp_path):
    request_id = box.send("flatten", {"plan": "gold"}, "ann")
    died = subprocess.run([sys.executable, "-c", TAKE_AND_DIE, str(tmp_path)], cwd=ROOT)
    restarted = engine(tmp_path)

    (left,) = restarted.interrupted()
    again = restarted.take()
    restarted.answer(left, {"outcome": "unknown", "text": "the session ended meanwhile"})

    assert died.returncode == -signal.SIGKILL
    assert (left.id, left.name, left.arguments) == (request_id, "flatten", {"plan": "gold"})
    assert again == []
    assert box.answer_of(request_id, 0)["outcome"] == "unknown"
    assert engine(tmp_path).interrupted() == []


def test_a_session_that_died_after_the_answer_leaves_nothing_to_settle(box, tmp_path):
    request_id = box.send("pause", {}, "ann")
    (request,) = engine(tmp_path).take()
    kept = (tmp_path / f"{request_id}.taken").read_bytes()
    engine(tmp_path).answer(request, DONE)
    (tmp_path / f"{request_id}.taken").write_bytes(kept)

    assert engine(tmp_path).interrupted() == []
    assert files(tmp_path) == [".answer"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"name": "pause"}',
        b'{"name": 5, "arguments": {}, "author": "", "sent": 1}',
        b'{"name": "pause", "arguments": [], "author": "", "sent": 1}',
        b'{"name": "pause", "arguments": {}, "author": "", "sent": "now"}',
        b'{"name": "pause", "arguments": {}, "author": "", "sent": true}',
        b"[" * 50_000,
        b" " * (LARGEST_BYTES + 1),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_damaged_file_is_put_aside_and_told_and_others_are_still_read(
    box, tmp_path, caplog, content
):
    (tmp_path / "00000000000000000001-x.json").write_bytes(content)
    box.send("pause", {}, "ann")

    with caplog.at_level(logging.WARNING, logger="live"):
        taken = engine(tmp_path).take()

    assert [request.name for request in taken] == ["pause"]
    assert files(tmp_path) == [".damaged", ".taken"]
    assert len(caplog.records) == 1


def test_a_folder_that_looks_like_a_request_is_put_aside(tmp_path):
    (tmp_path / "00000000000000000001-x.json").mkdir()

    assert engine(tmp_path).take() == []
    assert files(tmp_path) == [".damaged"]


def test_a_missing_folder_holds_no_letters_and_takes_none(tmp_path):
    box = Mailbox(tmp_path / "away")

    assert box.take() == []
    assert box.interrupted() == []
    with pytest.raises(ConfigError, match="has this account run here"):
        box.send("pause", {}, "ann")


def test_a_secret_is_not_sent_and_not_answered(box, tmp_path):
    register_secrets(["pl4nted-secret"])
    try:
        for arguments in ({"note": "pl4nted-secret"}, {"access_token": "abc"}):
            with pytest.raises(ConfigError, match="a secret cannot be sent"):
                box.send("set", arguments, "ann")
        box.send("login", {}, "ann")
        mailbox = engine(tmp_path)
        (request,) = mailbox.take()
        mailbox.answer(request, {"outcome": "done", "text": "with pl4nted-secret", "list": [1]})
    finally:
        forget_secrets()

    everything = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "pl4nted" not in everything
    assert '"with ***"' in everything


def test_answers_nobody_fetches_are_removed_at_a_later_start(box, tmp_path):
    box.send("pause", {}, "ann")
    mailbox = engine(tmp_path)
    mailbox.answer(mailbox.take()[0], DONE)
    (answer,) = tmp_path.iterdir()

    engine(tmp_path).interrupted()
    young = answer.exists()
    os.utime(answer, (time.time() - KEPT_SECS - 60,) * 2)
    engine(tmp_path).interrupted()

    assert (young, answer.exists()) == (True, False)


def test_a_request_file_is_whole_json_that_other_programs_can_read(box, tmp_path):
    request_id = box.send("pause", {"until": "09:30"}, "ann")

    body = json.loads((tmp_path / f"{request_id}.json").read_text())

    assert {key: body[key] for key in ("name", "arguments", "author")} == {
        "name": "pause",
        "arguments": {"until": "09:30"},
        "author": "ann",
    }


def test_a_folder_that_takes_no_letters_is_not_taken_for_a_missing_one(tmp_path):
    (tmp_path / "commands").write_text("in the way")

    with pytest.raises(TolaError, match=r"no request can be put there .* then ask again") as told:
        Mailbox(tmp_path / "commands").send("pause", {}, "ann")

    assert not isinstance(told.value, ConfigError)
