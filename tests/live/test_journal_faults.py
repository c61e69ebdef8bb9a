"""What goes wrong with a journal is said in a line, loses nothing and doubles nothing."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.events import Command
from live.journal import JournalError, open_journal, sqlite, writer
from live.journal.store import BLOCK_EVENTS
from tests.live.journals import FACTS, behind_its_back, booked, fill, intent, kept, numbers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "j.db"


@pytest.fixture
def journal(place):
    """A journal in a file with one event and one intent written, and one event waiting."""
    journal = open_journal(str(place))
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.intend(intent("1"))
    journal.append(fill(2))
    yield journal
    journal.close(abandon=True)


def is_whole(place, count):
    """Read from outside: so many events, each once."""
    reader = open_journal(str(place), read_only=True)
    assert kept(reader) == [fill(n) for n in range(1, count + 1)]
    reader.close()
    return True


# -- commits that fail ---------------------------------------------------------------------------


@pytest.fixture
def lose_answer(monkeypatch):
    """Let the next commit of a journal go through, but its answer be lost."""

    def lose(journal):
        def lost(_self):
            monkeypatch.undo()
            raise OSError("the answer was lost")

        monkeypatch.setattr(type(journal._database), "_written", lost)

    return lose


def test_a_commit_whose_answer_was_lost_is_not_written_twice(journal_url, lose_answer):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.note("lock", {}, ts=1)
    journal.execution(booked())
    lose_answer(journal)

    with pytest.raises(JournalError, match="the answer was lost"):
        journal.flush()
    journal.append(fill(2))
    journal.flush()

    assert kept(journal) == [fill(1), fill(2)]
    assert len(journal.notes()) == len(journal.executions()) == 1
    journal.close()


def test_a_lost_answer_followed_by_a_failure_is_still_found_out(
    journal_url, lose_answer, monkeypatch
):
    journal = open_journal(journal_url)
    journal.append(fill(1))
    lose_answer(journal)
    with pytest.raises(JournalError, match="the answer was lost"):
        journal.intend(intent("1"))
    journal.append(fill(2))
    monkeypatch.setattr(type(journal._database), "_begin_write", lambda *_: _fail("disk I/O error"))
    with pytest.raises(JournalError, match="disk"):
        journal.intend(intent("2"))
    monkeypatch.undo()

    journal.append(fill(3))
    journal.intend(intent("3"))

    assert kept(journal) == [fill(1), fill(2), fill(3)]
    assert [item.order_id for item in journal.intents()] == ["3"]
    journal.close()


def test_an_intent_said_not_to_be_written_is_taken_back(journal_url, lose_answer):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    lose_answer(journal)

    with pytest.raises(JournalError):
        journal.intend(intent("1"))
    journal.intend(intent("2"))

    assert [item.order_id for item in journal.intents()] == ["2"]
    journal.close()


def test_an_intent_sent_in_any_case_is_there_once(journal_url, lose_answer):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    lose_answer(journal)

    assert "the answer was lost" in str(journal.try_intend(intent("1")))
    journal.flush()

    assert [item.order_id for item in journal.intents()] == ["1"]
    journal.close()


def test_of_those_decided_together_entries_are_taken_back_and_exits_are_there_once(
    journal_url, lose_answer
):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    lose_answer(journal)
    together = [intent("entry"), intent("exit"), intent("other")]

    faults = journal.intend_all(together, [False, True, False])
    assert ["the answer was lost" in str(fault) for fault in faults] == [True, True, True]
    journal.intend(intent("next"))

    assert [item.order_id for item in journal.intents()] == ["exit", "next"]
    journal.close()


def test_a_session_said_not_to_have_begun_is_taken_back(journal_url, lose_answer):
    journal = open_journal(journal_url)
    lose_answer(journal)

    with pytest.raises(JournalError):
        journal.begin(FACTS)
    journal.begin(FACTS)

    assert len(journal.sessions()) == 1
    journal.close()


@pytest.fixture
def locked(journal, place, monkeypatch):
    """The journal, locked by another process for longer than it waits; call to let go."""
    journal._database._driver(journal._database._ready()).execute("PRAGMA busy_timeout=20")
    other = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield lambda: other.execute("ROLLBACK")
    other.close()


def test_a_writer_that_is_locked_out_keeps_its_events_and_says_so(journal, place, locked):
    with pytest.raises(JournalError, match="another process writes to it: end that session"):
        journal.intend(intent("2"))
    assert journal.is_behind and journal.written_seq == 1

    locked()
    journal.append(fill(3))
    journal.intend(intent("3"))

    assert not journal.is_behind and is_whole(place, 3)
    assert [item.order_id for item in journal.intents()] == ["1", "3"]


def test_exits_go_on_while_the_journal_fails_and_are_written_in_their_place(journal, locked):
    assert "another process" in str(journal.try_intend(intent("exit")))
    journal.append(fill(3))
    assert journal.try_intend(intent("stop")) is journal.trouble

    locked()
    journal.intend(intent("entry"))

    assert [(item.order_id, item.after_seq) for item in journal.intents()] == [
        ("1", 1), ("exit", 2), ("stop", 3), ("entry", 3),
    ]  # fmt: skip


def test_a_failing_journal_is_not_tried_at_every_event(journal, locked, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_SECS", 60.0)
    tries = []
    monkeypatch.setattr(
        sqlite.SqliteFile, "_begin_write", lambda *_: tries.append(1) or _fail("disk I/O error")
    )

    for number in range(3, 3 * BLOCK_EVENTS):
        journal.append(fill(number))
    assert journal.try_flush() is not None and journal.is_behind

    assert len(tries) == 1


def _fail(text):
    raise sqlite3.OperationalError(text)


def test_blocks_that_waited_are_read_back_in_order(journal, place, locked):
    for number in range(3, 2 * BLOCK_EVENTS + 10):
        journal.append(fill(number))
    assert journal.is_behind and journal.written_seq == 1

    locked()
    journal.flush()

    assert is_whole(place, 2 * BLOCK_EVENTS + 9)


def test_closing_tells_that_something_could_not_be_written(journal, place, locked):
    with pytest.raises(JournalError, match="another process"):
        journal.close()

    locked()
    journal.close()

    assert is_whole(place, 2)


def test_a_full_disk_holds_events_back_until_there_is_room(small_disk, monkeypatch):
    monkeypatch.setattr(writer, "FLUSH_SECS", 0.0)
    journal = open_journal(str(small_disk / "j.db"))
    journal.begin(FACTS)
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(free - 60_000))
    count = 0

    while not journal.is_behind:
        count += 1
        journal.append(Command("set", {"text": os.urandom(2000).hex()}))
        journal.try_flush()
    with pytest.raises(JournalError, match="make room"):
        journal.intend(intent("1"))
    journal.append(fill(1))
    reader = open_journal(str(small_disk / "j.db"), read_only=True)
    assert numbers(reader) == list(range(1, count)) and reader.intents() == []
    reader.close()

    filler.unlink()
    journal.intend(intent("2"))
    journal.close()

    reader = open_journal(str(small_disk / "j.db"), read_only=True)
    assert numbers(reader) == list(range(1, count + 2))
    assert [item.order_id for item in reader.intents()] == ["2"]
    reader.close()


LIMITED = """
import resource, sys
from core.events import Command
from live.journal import JournalError, open_journal
from tests.live.journals import FACTS, intent
journal = open_journal(sys.argv[1])
journal.begin(FACTS)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
count = 0
try:
    while True:
        count += 1
        journal.append(Command("set", {"text": str(count) * 500}))
        journal.flush()
except JournalError as trouble:
    print(trouble)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.intend(intent())
journal.close()
print(count)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of a file's size are POSIX's")
def test_a_file_that_may_not_grow_holds_events_back_until_it_may(place):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(place)], capture_output=True, text=True, cwd=ROOT
    )

    trouble, count = done.stdout.splitlines()
    assert "make room" in trouble
    reader = open_journal(str(place), read_only=True)
    assert numbers(reader) == list(range(1, int(count) + 1)) and len(reader.intents()) == 1
    reader.close()


# -- the file removed or replaced under us -------------------------------------------------------

moves = pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is in use")


@moves
def test_a_file_moved_away_and_put_back_is_written_on(journal, place, tmp_path):
    place.rename(tmp_path / "away")
    with pytest.raises(JournalError, match="was removed while in use: put it back"):
        journal.intend(intent("2"))

    (tmp_path / "away").rename(place)
    journal.intend(intent("3"))

    assert is_whole(place, 2)
    assert [item.order_id for item in journal.intents()] == ["1", "3"]


@moves
@pytest.mark.parametrize("parts", [[""], ["-wal"], ["-shm"], ["", "-wal"], ["", "-wal", "-shm"]])
def test_a_file_that_was_removed_is_written_anew_with_all_it_held(journal, place, parts):
    for part in parts:
        place.with_name(place.name + part).unlink()
    with pytest.raises(JournalError, match="was removed while in use"):
        journal.flush()

    journal.append(fill(3))
    journal.intend(intent("2"))

    assert is_whole(place, 3)
    assert [item.order_id for item in journal.intents()] == ["1", "2"]
    journal.append(fill(4))
    journal.close()
    assert sorted(path.name for path in place.parent.iterdir()) == ["j.db", "j.db-writer"]
    assert is_whole(place, 4)


@moves
def test_a_file_removed_at_the_very_commit_is_noticed(journal, place, monkeypatch):
    def remove_then_look(self):
        place.unlink()
        monkeypatch.undo()
        self._written()

    monkeypatch.setattr(sqlite.SqliteFile, "_written", remove_then_look)
    with pytest.raises(JournalError, match="was removed while in use"):
        journal.intend(intent("2"))

    journal.flush()

    assert is_whole(place, 2)
    assert [item.order_id for item in journal.intents()] == ["1"]


@moves
def test_another_file_in_its_place_is_never_written_to(journal, place, tmp_path):
    place.rename(tmp_path / "away")
    place.write_bytes(b"price,volume\n")
    for _ in range(2):
        with pytest.raises(JournalError, match="another file was put in its place: move that one"):
            journal.intend(intent("2"))
    assert place.read_bytes() == b"price,volume\n"

    place.unlink()
    journal.intend(intent("3"))

    assert is_whole(place, 2)


@moves
def test_an_older_copy_in_its_place_is_never_written_to(journal, place, tmp_path):
    shutil.copy(place, tmp_path / "older")
    journal.flush()
    (tmp_path / "older").replace(place)

    with pytest.raises(JournalError, match="another file was put in its place"):
        journal.intend(intent("2"))

    place.unlink()
    journal.flush()
    assert is_whole(place, 2)


@moves
def test_a_reader_follows_to_the_file_that_lies_there_now(journal, place):
    reader = open_journal(str(place), read_only=True)
    assert numbers(reader) == [1]
    place.unlink()
    with pytest.raises(JournalError, match="no journal here"):
        numbers(reader)
    with pytest.raises(JournalError):
        journal.flush()
    journal.flush()

    assert numbers(reader) == [1, 2]
    reader.close()


@moves
def test_a_folder_that_vanished_is_named_until_it_is_back(tmp_path):
    folder = tmp_path / "accounts"
    folder.mkdir()
    journal = open_journal(str(folder / "j.db"))
    journal.append(fill(1))
    shutil.rmtree(folder)
    with pytest.raises(JournalError, match="was removed"):
        journal.flush()
    with pytest.raises(JournalError, match="must exist and be writable"):
        journal.flush()

    folder.mkdir()
    journal.close()

    assert is_whole(folder / "j.db", 1)


# -- places that cannot be written ---------------------------------------------------------------


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match="must exist and be writable"):
        open_journal(str(tmp_path / "nowhere" / "j.db"))


def test_reading_a_journal_that_is_not_there_makes_none(place):
    with pytest.raises(JournalError, match="no journal here"):
        open_journal(str(place), read_only=True)

    assert not list(place.parent.iterdir())


def test_a_read_only_disk_can_be_read_and_says_why_it_cannot_be_written(small_disk):
    place = small_disk / "j.db"
    journal = open_journal(str(place))
    journal.append(fill(1))
    journal.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    assert is_whole(place, 1)
    with pytest.raises(JournalError, match="must exist and be writable"):
        open_journal(str(place))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anything")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_place_this_user_may_not_write_is_named(place, what):
    open_journal(str(place)).close()
    closed = place if what == "file" else place.parent
    closed.chmod(0o500)

    with pytest.raises(JournalError, match="must exist and be writable"):
        open_journal(str(place))

    closed.chmod(0o700)
    open_journal(str(place)).close()


# -- damage --------------------------------------------------------------------------------------


def test_a_file_that_is_no_journal_is_left_as_it_is(place):
    place.write_bytes(b"price,volume\n" * 400)

    for read_only in (False, True):
        with pytest.raises(JournalError, match="the file is damaged: put it aside"):
            open_journal(str(place), read_only=read_only)

    assert place.read_bytes() == b"price,volume\n" * 400


def everything(place):
    """All a journal tells."""
    reader = open_journal(str(place), read_only=True)
    try:
        return (
            [(seq, event.name, event.arguments) for seq, event in reader.events()],
            reader.sessions(),
            reader.intents(),
            reader.executions(),
            reader.notes(),
            reader.state("guard"),
        )
    finally:
        reader.close()


@pytest.mark.parametrize("harm", ["zeroed", "torn", "cut"])
def test_no_damaged_page_is_ever_read_as_other_events(place, harm):
    journal = open_journal(str(place))
    journal.begin(FACTS)
    for number in range(30):
        journal.append(Command("set", {"text": os.urandom(1000).hex()}))
        journal.execution(booked(str(number)))
        journal.note("lock", {}, ts=1)
        journal.save_state("guard", {"n": number})
        journal.intend(intent(str(number)))
    journal.close()
    whole, before = place.read_bytes(), everything(place)
    page = int.from_bytes(whole[16:18], "big")
    complaints = 0

    for start in range(0, len(whole), page):
        middle = start + page // 2
        place.write_bytes(
            {
                "zeroed": whole[:start] + bytes(page) + whole[start + page :],
                "torn": whole[:middle] + bytes(page // 2) + whole[start + page :],
                "cut": whole[:middle],
            }[harm]
        )
        try:
            after = everything(place)
        except JournalError:
            complaints += 1
        else:
            assert after[0] == before[0]

    assert complaints >= len(whole) // page // 2


@pytest.mark.parametrize("harm", ["changed", "gone"])
@pytest.mark.parametrize(
    ("first", "last"), [(1, 3), (4, 6), (7, 9)], ids=["first", "middle", "last"]
)
def test_a_damaged_record_names_the_events_it_held(journal_url, harm, first, last):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    for number in range(1, 10):
        journal.append(fill(number))
        if number % 3 == 0:
            journal.flush()
    if harm == "gone":
        behind_its_back(journal_url, f"DELETE FROM sequence WHERE first_seq = {first}")
    else:
        junk = "'\\x6a756e6b'" if "://" in journal_url else "x'6a756e6b'"
        behind_its_back(
            journal_url, f"UPDATE sequence SET block = {junk} WHERE first_seq = {first}"
        )

    with pytest.raises(JournalError, match=f"events {first} to {last} .*--adopt"):
        list(journal.events())
    assert journal.last_seq == 9
    assert [seq for seq, _ in journal.events(last + 1)] == list(range(last + 1, 10))
    journal.close()


def test_a_session_after_a_lost_record_goes_on_numbering(journal_url):
    journal = open_journal(journal_url)
    for number in range(1, 4):
        journal.append(fill(number))
        journal.flush()
    journal.close()
    behind_its_back(journal_url, "DELETE FROM sequence WHERE first_seq = 3")

    journal = open_journal(journal_url)

    assert journal.append(fill(4)) == 4
    journal.flush()
    assert [seq for seq, _ in journal.events(4)] == [4]
    with pytest.raises(JournalError, match="events 3 to 3 is missing"):
        list(journal.events())
    journal.close()


def test_rows_that_are_not_what_was_written_are_called_damaged(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.note("lock", {}, ts=1)
    journal.save_state("guard", {})
    journal.intend(intent())
    journal.close()
    for table in ("sessions", "intents", "notes", "state"):
        behind_its_back(journal_url, f"UPDATE {table} SET document = '{{'")

    reader = open_journal(journal_url, read_only=True)
    for read in (reader.sessions, reader.intents, reader.notes, lambda: reader.state("guard")):
        with pytest.raises(JournalError, match="damaged"):
            read()
    reader.close()
