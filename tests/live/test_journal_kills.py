"""Processes killed at random moments: what a journal said is written, is written.

The child tells over a pipe what it was told; the parent kills it and believes nothing but the pipe
and the journal.
"""

import multiprocessing
import os
import random
import time

import pytest

from core.events import Clock
from live.journal import JournalError, open_journal
from tests.live.journals import FACTS, booked, intent

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")

KILLS = 40


def write_until_killed(url, seed, pipe):
    """Events that carry their own number, states, fills and intents; told once written.

    Some intents come three at once.
    """
    chance = random.Random(seed)
    journal = open_journal(url)
    session = journal.begin(FACTS)
    pipe.send(("session", session, journal.last_seq))
    for number in range(1_000_000):
        for _ in range(chance.randrange(6)):
            journal.append(Clock(ts_event=journal.last_seq + 1))
        order_id = f"{session}-{number}"
        journal.save_state("guard", {"order_id": order_id})
        journal.execution(booked(order_id))
        try:
            if chance.random() < 0.3:
                journal.flush()
                pipe.send(("flush", order_id, journal.last_seq))
            elif chance.random() < 0.4:
                together = [intent(order_id), intent(f"{order_id}-b"), intent(f"{order_id}-c")]
                (trouble, *_) = journal.intend_all(together, [False] * 3)
                if trouble is not None:
                    raise trouble
                for item in together:
                    pipe.send(("intent", item.order_id, journal.last_seq))
            else:
                journal.intend(intent(order_id))
                pipe.send(("intent", order_id, journal.last_seq))
        except JournalError:
            pipe.send(("trouble", order_id, journal.last_seq))
            time.sleep(0.02)


@pytest.fixture(scope="module")
def start():
    """Starts children in no time: a process that has imported all makes them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.live.test_journal_kills"])

    def start(url, seed):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=write_until_killed, args=(url, seed, theirs))
        child.start()
        theirs.close()
        return child, ours

    return start


def number_of(order_id):
    """The session and number all intents of one commit begin with."""
    return "-".join(order_id.split("-")[:2])


def all_of(pipe):
    """What a child told until it died."""
    told = []
    try:
        while True:
            told.append(pipe.recv())
    except (EOFError, OSError):
        return told


def check(url, told, sessions):
    """The journal holds all that was told, and numbers without hole or double."""
    reader = open_journal(url, read_only=True)
    events = [(seq, event.ts_event) for seq, event in reader.events()]
    assert events == [(seq, seq) for seq in range(1, len(events) + 1)]
    assert reader.last_seq == len(events)
    written = {item.order_id: item.after_seq for item in reader.intents()}
    assert len(written) == len(reader.intents())
    for what, order_id, seq in told:
        assert what != "intent" or written[order_id] == seq
        assert what == "trouble" or seq <= len(events)
    fills = [item.fill_id for item in reader.executions()]
    assert len(set(fills)) == len(fills)
    known = {number_of(order_id) for what, order_id, _ in told if what in ("intent", "flush")}
    assert known <= set(fills)
    if fills:
        assert reader.state("guard") == {"order_id": fills[-1]}
    # at most one commit of intents of each session was written and died before it could tell
    untold = set(written) - {order_id for what, order_id, _ in told if what == "intent"}
    commits = {number_of(order_id) for order_id in untold}
    assert len(commits) == len({order_id.split("-")[0] for order_id in untold})
    # and those written together are all there, or none of them
    together = [number_of(order_id) for order_id in written if order_id.count("-") == 2]
    assert all(together.count(number) == 2 for number in together)
    assert len(reader.sessions()) == sessions
    reader.close()
    return len(told)


def test_nothing_that_was_told_is_lost_to_a_kill(journal_url, start):
    chance = random.Random(KILLS)
    told, longest = [], 0

    for began in range(1, KILLS + 1):
        child, pipe = start(journal_url, began)
        what, session, last_seq = pipe.recv()
        assert (what, session) == ("session", began)
        assert last_seq >= max([seq for _, _, seq in told], default=0)
        time.sleep(chance.uniform(0.0, 0.08))
        child.kill()
        child.join()
        mine = all_of(pipe)
        told += mine
        longest = max(longest, len(mine))
        if began % 8 == 0:
            check(journal_url, told, began)

    assert longest > 5


def test_a_kill_while_it_opens_leaves_a_journal_that_opens(journal_url, start):
    chance = random.Random(7)
    for seed in range(10):
        child, pipe = start(journal_url, seed)
        time.sleep(chance.uniform(0.0, 0.06))
        child.kill()
        child.join()
        pipe.close()

    journal = open_journal(journal_url)
    assert [seq for seq, _ in journal.events()] == list(range(1, journal.last_seq + 1))
    journal.close()


def test_nothing_that_was_told_is_lost_to_a_servers_crash(fragile_server, start):
    url = fragile_server.make_database()
    child, pipe = start(url, 5)
    assert pipe.recv() == ("session", 1, 0)
    chance, told, troubles = random.Random(11), [], 0

    for _ in range(5):
        time.sleep(chance.uniform(0.05, 0.3))
        fragile_server.stop()
        fragile_server.start()
        while pipe.poll(10):
            told.append(pipe.recv())
            if told[-1][0] == "trouble":
                troubles += 1
            elif troubles and told[-1][0] == "intent":
                break
    child.kill()
    child.join()
    told += all_of(pipe)

    check(url, told, 1)
    assert troubles >= 3
