"""The journal: what was appended is there after a kill, and whatever is wrong is said in a line."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.events import Clock, Command, Execution
from core.orders import Side
from live.journal import Intent, JournalError, SessionFacts, open_journal
from live.journal.store import BLOCK_EVENTS
from live.journal.tables import SEQUENCE

ROOT = Path(__file__).resolve().parents[2]
FACTS = SessionFacts("paper", "paper", "demo", {"plans": ["gold"]})


def fill(number):
    return Execution(f"f{number}", "v1", "MGC", Side.BUY, 1.0, 2400.0 + number, ts_init=number)


def intent(order_id="1"):
    return Intent("submit", order_id, "gold", "MGC", {"quantity": 1.0, "price": 2400.1})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    return request.getfixturevalue("postgres_url")


def test_events_come_back_numbered_and_whole(url):
    journal = open_journal(url)
    journal.begin(FACTS)
    numbers = [journal.append(fill(n)) for n in range(1, 6)]
    journal.close()

    again = open_journal(url, read_only=True)
    assert numbers == [1, 2, 3, 4, 5]
    assert list(again.events()) == [(n, fill(n)) for n in range(1, 6)]
    assert [seq for seq, _ in again.events(first_seq=4)] == [4, 5]
    again.close()


def test_numbers_go_on_in_the_next_session(url):
    for reason in ("stopped", "killed"):
        journal = open_journal(url)
        journal.begin(FACTS)
        journal.append(Clock(ts_event=1))
        journal.end(reason)
        journal.close()

    journal = open_journal(url)
    assert journal.last_seq == 2
    assert [(s.session_id, s.first_seq, s.exit_reason) for s in journal.sessions()] == [
        (1, 1, "stopped"),
        (2, 2, "killed"),
    ]
    assert journal.sessions()[0].document == {"plans": ["gold"]}
    journal.close()


def test_an_intent_takes_every_event_before_it_along(url):
    journal, reader = open_journal(url), None
    journal.begin(FACTS)
    journal.append(fill(1))
    reader = open_journal(url, read_only=True)
    assert list(reader.events()) == []

    journal.intend(intent())
    journal.append(fill(2))

    assert [seq for seq, _ in reader.events()] == [1]
    (written,) = reader.intents()
    assert (written.order_id, written.after_seq, written.document["price"]) == ("1", 1, 2400.1)
    reader.close()
    journal.close()


def test_notes_are_read_by_kind(url):
    journal = open_journal(url)
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.note("lock", {"rule": "daily_loss"}, ts=5, plan_id="gold")
    journal.note("alert", {"text": "no feed"}, ts=6)
    journal.flush()

    assert journal.notes("lock") == [
        {"ts": 5, "kind": "lock", "plan_id": "gold", "seq": 1, "rule": "daily_loss"}
    ]
    assert len(journal.notes()) == 2
    journal.close()


def test_many_events_are_written_without_being_asked(tmp_path):
    journal = open_journal(str(tmp_path / "j.db"))
    journal.begin(FACTS)
    for _ in range(BLOCK_EVENTS + 1):
        journal.append(Clock())
    reader = open_journal(str(tmp_path / "j.db"), read_only=True)

    assert sum(1 for _ in reader.events()) == BLOCK_EVENTS
    reader.close()
    journal.close()


CHILD = """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from tests.live.test_journal import FACTS, fill, intent
    from live.journal import open_journal
    journal = open_journal({place!r})
    journal.begin(FACTS)
    for number in range(1, 100):
        journal.append(fill(number))
        if number % 7 == 0:
            journal.intend(intent(str(number)))
            print(number, flush=True)
        if number == {last}:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("last", [1, 7, 8, 50])
def test_a_killed_process_has_lost_nothing_it_said_was_written(tmp_path, last):
    place = str(tmp_path / "j.db")
    code = textwrap.dedent(CHILD.format(root=str(ROOT), place=place, last=last))

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == -signal.SIGKILL, done.stderr
    said = [int(line) for line in done.stdout.split()]
    journal = open_journal(place)
    assert [int(item.order_id) for item in journal.intents()] == said
    kept = [event for _, event in journal.events()]
    assert kept == [fill(n) for n in range(1, (said or [0])[-1] + 1)]
    assert journal.last_seq == len(kept)
    journal.close()


def test_a_writer_that_is_locked_out_keeps_its_events_and_says_so(tmp_path):
    place = tmp_path / "j.db"
    journal = open_journal(str(place))
    journal.begin(FACTS)
    journal.append(fill(1))
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with sqlite3.connect(place) as _:
        journal._connection.exec_driver_sql("PRAGMA busy_timeout=50")
        journal._connection.rollback()

    with pytest.raises(JournalError, match="another process writes"):
        journal.intend(intent())
    other.execute("ROLLBACK")
    journal.intend(intent())

    assert [seq for seq, _ in journal.events()] == [1]
    assert len(journal.intents()) == 1
    journal.close()
    other.close()


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path):
    place = tmp_path / "j.db"
    place.write_bytes(b"price,volume\n" * 400)

    with pytest.raises(JournalError, match="damaged"):
        open_journal(str(place))

    assert place.read_bytes() == b"price,volume\n" * 400


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match="must exist and be writable"):
        open_journal(str(tmp_path / "nowhere" / "j.db"))


def test_reading_a_journal_that_is_not_there_makes_none(tmp_path):
    with pytest.raises(JournalError, match="no journal here"):
        open_journal(str(tmp_path / "j.db"), read_only=True)

    assert not (tmp_path / "j.db").exists()


def test_a_journal_of_a_later_version_is_refused(tmp_path):
    place = tmp_path / "j.db"
    open_journal(str(place)).close()
    with sqlite3.connect(place) as raw:
        raw.execute("UPDATE meta SET value = '99' WHERE name = 'version'")

    with pytest.raises(JournalError, match="version 99"):
        open_journal(str(place))


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_record_names_the_events_it_held(tmp_path, harm):
    place = str(tmp_path / "j.db")
    journal = open_journal(place)
    journal.begin(FACTS)
    for number in range(1, 10):
        journal.append(Command("pause", {"n": number}))
        if number % 3 == 0:
            journal.flush()
    middle = SEQUENCE.c.first_seq == 4
    change = sa.delete(SEQUENCE) if harm == "gone" else sa.update(SEQUENCE).values(block=b"junk")
    journal._connection.execute(change.where(middle))
    journal._connection.commit()

    with pytest.raises(JournalError, match="events 4 to 6"):
        list(journal.events())
    journal.close()


def test_passwords_of_an_address_are_never_shown():
    with pytest.raises(JournalError) as caught:
        open_journal("postgresql+psycopg://tola:planted-secret@127.0.0.1:1/none")

    assert "planted-secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
