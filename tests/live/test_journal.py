"""The journal: what it is given is there again, in order and once."""

import json
import os
import re

import numpy as np
import pytest

from core.events import Clock
from live.journal import JournalError, SessionFacts, open_journal, sqlite, writer
from live.journal.store import BLOCK_EVENTS
from tests.live.journals import FACTS, behind_its_back, booked, fill, intent, numbers


def test_events_come_back_numbered_and_whole(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    told = [journal.append(fill(n)) for n in range(1, 6)]
    journal.close()

    again = open_journal(journal_url, read_only=True)
    assert told == [1, 2, 3, 4, 5] and again.last_seq == 5
    assert list(again.events()) == [(n, fill(n)) for n in range(1, 6)]
    assert [seq for seq, _ in again.events(first_seq=4)] == [4, 5]
    assert list(again.events(first_seq=6)) == []
    again.close()


def test_numbers_go_on_in_the_next_session(journal_url):
    for reason in ("stopped", "killed"):
        journal = open_journal(journal_url)
        journal.begin(FACTS)
        journal.append(Clock(ts_event=1))
        journal.end(reason)
        journal.close()

    journal = open_journal(journal_url)
    assert journal.last_seq == 2
    assert [(s.session_id, s.first_seq, s.exit_reason) for s in journal.sessions()] == [
        (1, 1, "stopped"),
        (2, 2, "killed"),
    ]
    assert journal.sessions()[0].document == {"plans": ["gold"]}
    journal.close()


def test_an_intent_takes_every_event_before_it_along(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(fill(1))
    reader = open_journal(journal_url, read_only=True)
    assert list(reader.events()) == []

    journal.intend(intent())
    journal.append(fill(2))

    assert numbers(reader) == [1]
    (written,) = reader.intents()
    assert (written.order_id, written.after_seq, written.document["price"]) == ("1", 1, 2400.1)
    assert (journal.written_seq, journal.last_seq) == (1, 2)
    reader.close()
    journal.close()


def test_intents_are_read_by_session(journal_url):
    journal = open_journal(journal_url)
    for name in ("1", "2"):
        journal.begin(FACTS)
        journal.intend(intent(name))

    assert [item.order_id for item in journal.intents()] == ["1", "2"]
    assert [item.order_id for item in journal.intents(session_id=2)] == ["2"]
    journal.close()


def test_notes_are_read_by_kind(journal_url):
    journal = open_journal(journal_url)
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


def test_a_booked_fill_comes_back_with_where_it_belongs(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.execution(booked("f1"))
    journal.begin(FACTS)
    journal.execution(booked("f1", venue="kite"))
    journal.flush()

    first, second = journal.executions()
    assert (first.after_seq, first.session_id, first.side, first.costs) == (1, 1, -1, {"fee": 0.5})
    assert journal.executions(session_id=2) == [second]
    assert second.venue == "kite"
    journal.close()


def test_a_fill_is_booked_once_in_an_accounts_life(journal_url):
    journal = open_journal(journal_url)
    journal.execution(booked("f1"))
    with pytest.raises(JournalError, match="'f1' of paper is booked already"):
        journal.execution(booked("f1"))
    journal.close()

    again = open_journal(journal_url)
    with pytest.raises(JournalError, match="'f1' of paper is booked already"):
        again.execution(booked("f1"))
    assert len(again.executions()) == 1 and not again.is_behind
    again.close()


def test_the_database_itself_refuses_a_second_fill(journal_url):
    journal = open_journal(journal_url)
    journal.append(fill(1))
    journal.execution(booked("f1"))
    journal.execution(booked("f2"))
    behind_its_back(
        journal_url,
        "INSERT INTO executions (session_id, after_seq, venue, fill_id, order_id, plan_id, symbol,"
        " side, quantity, price, ts, costs)"
        " VALUES (1, 0, 'paper', 'f1', '1', 'gold', 'MGC', 1, 1, 1, 1, '{}')",
    )

    with pytest.raises(JournalError, match="'f1' of paper is booked already"):
        journal.intend(intent())
    assert journal.is_behind and journal.intents() == []
    journal.intend(intent())

    assert not journal.is_behind and numbers(journal) == [1]
    assert [item.fill_id for item in journal.executions()] == ["f1", "f2"]
    journal.close()


def test_a_state_keeps_its_last_value_across_sessions(journal_url):
    journal = open_journal(journal_url)
    assert journal.state("guard") is None
    for floor in (1.0, 2.0):
        journal.save_state("guard", {"floor": floor})
    assert journal.state("guard") == {"floor": 2.0}
    journal.flush()
    journal.save_state("guard", {"floor": 3.0})
    journal.close()

    assert open_journal(journal_url, read_only=True).state("guard") == {"floor": 3.0}


def test_a_state_is_never_written_without_the_events_that_led_to_it(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.save_state("guard", {"lock": "daily_loss"})
    reader = open_journal(journal_url, read_only=True)
    assert (reader.state("guard"), numbers(reader)) == (None, [])

    journal.flush()

    assert (reader.state("guard"), numbers(reader)) == ({"lock": "daily_loss"}, [1])
    reader.close()
    journal.close()


def test_many_events_are_written_without_being_asked(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    for _ in range(BLOCK_EVENTS + 1):
        journal.append(Clock())
    reader = open_journal(journal_url, read_only=True)

    assert len(numbers(reader)) == BLOCK_EVENTS
    reader.close()
    journal.close()


def test_idle_moments_write_a_few_times_a_second_only(tmp_path, monkeypatch):
    journal = open_journal(str(tmp_path / "j.db"))
    journal.begin(FACTS)
    monkeypatch.setattr(writer, "FLUSH_SECS", 3600.0)
    journal.flush()
    journal.append(Clock())
    journal.flush()

    journal.append(Clock())
    assert journal.try_flush() is None and journal.written_seq == 1
    journal.intend(intent())

    assert journal.written_seq == 2
    journal.close()


def test_a_long_journal_is_read_while_it_is_written(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    for number in range(1, 101):
        journal.append(Clock(ts_event=number))
        journal.flush()
    reader = open_journal(journal_url, read_only=True)

    read = []
    for seq, _ in reader.events():
        read.append(seq)
        if seq % 20 == 0:
            journal.append(Clock())
            journal.intend(intent())

    assert read[:100] == list(range(1, 101))
    assert read == list(range(1, len(read) + 1)) and len(numbers(reader)) >= 105
    reader.close()
    journal.close()


def test_a_journal_in_memory_ends_with_its_process():
    journal = open_journal("sqlite://")
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.intend(intent())

    assert numbers(journal) == [1] and len(journal.intents()) == 1
    journal.close()


def test_a_journal_knows_its_size(journal_url):
    journal = open_journal(journal_url)
    before = journal.size()
    journal.note("alert", {"text": os.urandom(200_000).hex()}, ts=1)
    journal.flush()

    assert journal.size() > before + 200_000
    journal.close()


def test_a_journal_for_reading_refuses_to_write(journal_url):
    open_journal(journal_url).close()
    reader = open_journal(journal_url, read_only=True)

    for write in (lambda: reader.intend(intent()), reader.flush, lambda: reader.begin(FACTS)):
        with pytest.raises(JournalError, match="for reading only"):
            write()
    assert not reader.is_behind
    reader.close()


@pytest.mark.parametrize(
    ("document", "order_id", "why"),
    [
        ({"size": object()}, "1", "cannot be kept as JSON"),
        ({}, "1" * 41, "longer than 40"),
        ({}, "a\x00b", "zero byte"),
        ({}, "\ud800", "is no text"),
    ],
    ids=["no json", "long", "zero byte", "no text"],
)
def test_what_a_database_would_refuse_is_refused_before_it_blocks_the_rest(
    journal_url, document, order_id, why
):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(fill(1))
    wrong = intent(order_id)
    object.__setattr__(wrong, "document", document)

    assert re.search(why, str(journal.try_intend(wrong)))
    with pytest.raises(JournalError, match=why):
        journal.intend(wrong)

    assert not journal.is_behind
    journal.intend(intent())
    assert numbers(journal) == [1] and len(journal.intents()) == 1
    journal.close()


def test_documents_take_numpy_numbers(journal_url):
    journal = open_journal(journal_url)
    journal.save_state("guard", {"day": np.int64(5), "floor": np.float64(0.1)})
    journal.note("lock", {"bar": np.int32(7)}, ts=1)
    journal.flush()

    assert json.dumps(journal.state("guard")) == '{"day": 5, "floor": 0.1}'
    assert journal.notes()[0]["bar"] == 7
    journal.close()


def test_facts_of_a_session_may_hold_anything_json_knows(journal_url):
    document = {"plans": ["gold"], "text": "zero \x00 byte, 金", "none": None, "pair": [1, 2.5]}
    journal = open_journal(journal_url)

    journal.begin(SessionFacts("live", "kite", "main", document))

    assert journal.sessions()[0].document == document
    journal.close()


def test_what_was_decided_together_is_written_together(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)
    journal.append(Clock(ts_event=1))
    commits = []
    commit = journal._writer.commit
    journal._writer.commit = lambda *given, **how: commits.append(1) or commit(*given, **how)

    faults = journal.intend_all([intent("1"), intent("2"), intent("3")], [False, True, False])

    assert faults == [None, None, None]
    assert len(commits) == 1
    assert [item.order_id for item in open_journal(journal_url, read_only=True).intents()] == [
        "1", "2", "3"
    ]  # fmt: skip


def test_one_that_no_database_takes_does_not_stop_those_decided_with_it(journal_url):
    journal = open_journal(journal_url)
    journal.begin(FACTS)

    faults = journal.intend_all([intent("x" * 50), intent("2")], [False, False])

    assert "longer than 40" in str(faults[0])
    assert faults[1] is None
    assert [item.order_id for item in journal.intents()] == ["2"]


def test_only_what_nobody_waits_for_is_not_synced(tmp_path):
    journal = open_journal(str(tmp_path / "j.db"))
    journal.begin(FACTS)

    def level():
        raw = journal._database._driver(journal._database._connection)
        return raw.execute("PRAGMA synchronous").fetchone()[0]

    def written(how):
        journal.append(Clock(ts_event=1))
        journal._writer._due_at = 0.0
        how()
        return level()

    full, normal = 2, 1
    assert written(journal.try_flush) == normal
    assert written(lambda: journal.intend(intent("1"))) == full
    assert written(journal.try_flush) == normal
    assert written(lambda: journal.try_intend(intent("2"))) == full
    assert written(journal.try_flush) == normal
    assert written(lambda: journal.intend_all([intent("3"), intent("4")], [True, True])) == full
    assert written(journal.try_flush) == normal
    journal.flush()
    assert level() == full


def test_the_log_is_emptied_in_quiet_moments_and_not_by_an_order(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_TIDY_COMMITS", 20)
    path = tmp_path / "j.db"
    journal = open_journal(str(path))
    journal.begin(FACTS)

    def write(count):
        for number in range(count):
            journal.append(Clock(ts_event=number + 1))
            journal.intend(intent(str(number)))

    write(500)
    before = path.stat().st_size
    assert path.with_name("j.db-wal").stat().st_size > 4_200_000
    journal._writer._due_at = 0.0
    assert journal.try_flush() is None
    emptied = path.stat().st_size
    write(10)

    assert before < emptied == path.stat().st_size
    assert len(open_journal(str(path), read_only=True).intents()) == 510
