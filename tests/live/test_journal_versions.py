"""Journals of other versions: older ones are brought to today's, newer ones are left alone."""

import json
import multiprocessing
import os
import signal

import pytest
import sqlalchemy as sa

from live.journal import JournalError, codec, open_journal, tables
from tests.live.journals import FACTS, behind_its_back, booked, fill, intent, kept

VERSION_1 = """
CREATE TABLE meta (name VARCHAR(40) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE sessions (
    session_id INTEGER NOT NULL, began BIGINT NOT NULL, ended BIGINT,
    exit_reason TEXT DEFAULT '' NOT NULL, mode VARCHAR(10) NOT NULL, venue VARCHAR(40) NOT NULL,
    account VARCHAR(80) NOT NULL, first_seq BIGINT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (session_id));
CREATE TABLE sequence (
    first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, session_id INTEGER NOT NULL,
    first_ts BIGINT NOT NULL, last_ts BIGINT NOT NULL, block BLOB NOT NULL,
    PRIMARY KEY (first_seq));
CREATE INDEX ix_sequence_session_id ON sequence (session_id);
CREATE TABLE intents (
    intent_id INTEGER NOT NULL, session_id INTEGER NOT NULL, after_seq BIGINT NOT NULL,
    bar_start BIGINT NOT NULL, made BIGINT NOT NULL, verb VARCHAR(10) NOT NULL,
    order_id VARCHAR(40) NOT NULL, plan_id VARCHAR(80) NOT NULL, symbol VARCHAR(80) NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (intent_id));
CREATE INDEX ix_intents_session_id ON intents (session_id);
CREATE INDEX ix_intents_order_id ON intents (order_id);
CREATE TABLE notes (
    note_id INTEGER NOT NULL, session_id INTEGER NOT NULL, after_seq BIGINT NOT NULL,
    ts BIGINT NOT NULL, kind VARCHAR(40) NOT NULL, plan_id VARCHAR(80) DEFAULT '' NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (note_id));
CREATE INDEX ix_notes_session_id ON notes (session_id);
CREATE INDEX ix_notes_kind ON notes (kind);
INSERT INTO meta VALUES ('version', '1');
INSERT INTO sessions VALUES (1, 5, 6, 'stopped', 'paper', 'paper', 'demo', 1, '{"plans":["gold"]}');
INSERT INTO intents VALUES (1, 1, 2, 0, 5, 'submit', '1', 'gold', 'MGC',
    '{"quantity": 1.0, "price": 2400.1}');
INSERT INTO notes (session_id, after_seq, ts, kind, plan_id, document)
    VALUES (1, 2, 5, 'lock', 'gold', '{"rule": "daily_loss"}');
"""


def serial(ddl):
    """The statements as PostgreSQL had them."""
    for name in ("session_id", "intent_id", "note_id"):
        ddl = ddl.replace(f"    {name} INTEGER NOT NULL, ", f"    {name} SERIAL NOT NULL, ", 1)
    return "CREATE SCHEMA tola; SET search_path = tola;" + ddl.replace("BLOB", "BYTEA")


@pytest.fixture
def old_url(journal_url):
    """A journal as version 1 wrote it: a session with two events, an intent and a note."""
    is_server = "://" in journal_url
    engine = sa.create_engine(journal_url if is_server else f"sqlite:///{journal_url}")
    block = codec.pack_block(b"".join(codec.encode_event(fill(n)) for n in (1, 2)))
    with engine.begin() as connection:
        for statement in filter(
            str.strip, (serial(VERSION_1) if is_server else VERSION_1).split(";")
        ):
            connection.exec_driver_sql(statement)
        connection.execute(
            sa.text("INSERT INTO sequence VALUES (1, 2, 1, 1, 2, :block)"), {"block": block}
        )
    engine.dispose()
    return journal_url


def schema(url):
    """Every table with its columns, keys and indexes."""
    is_server = "://" in url
    engine = sa.create_engine(url if is_server else f"sqlite:///{url}")
    look, where = sa.inspect(engine), "tola" if is_server else None
    found = {}
    for name in look.get_table_names(schema=where):
        columns = look.get_columns(name, schema=where)
        found[name] = (
            [(c["name"], str(c["type"]), c["nullable"], bool(c["default"])) for c in columns],
            look.get_pk_constraint(name, schema=where)["constrained_columns"],
            sorted(str(i["column_names"]) for i in look.get_indexes(name, schema=where)),
            [u["column_names"] for u in look.get_unique_constraints(name, schema=where)],
        )
    engine.dispose()
    return found


def version(url):
    is_server = "://" in url
    engine = sa.create_engine(url if is_server else f"sqlite:///{url}")
    table = "tola.meta" if is_server else "meta"
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT value FROM {table} WHERE name = 'version'")
        number = int(found.scalar_one())
    engine.dispose()
    return number


def test_a_journal_of_the_first_version_is_read_and_goes_on(old_url):
    journal = open_journal(old_url)

    assert journal.last_seq == 2 and kept(journal) == [fill(1), fill(2)]
    assert [item.order_id for item in journal.intents()] == ["1"]
    assert journal.notes("lock")[0]["rule"] == "daily_loss"
    assert journal.begin(FACTS) == 2
    journal.append(fill(3))
    journal.execution(booked())
    journal.save_state("guard", {"floor": 1.0})
    journal.note("lock", {}, ts=1)
    journal.intend(intent("2"))
    journal.close()
    again = open_journal(old_url, read_only=True)
    assert kept(again) == [fill(1), fill(2), fill(3)] and len(again.executions()) == 1
    again.close()


def test_a_migrated_journal_is_laid_out_like_a_new_one(old_url, tmp_path, request):
    open_journal(old_url).close()
    if "://" in old_url:
        fresh = request.getfixturevalue("postgres_server").make_database()
    else:
        fresh = str(tmp_path / "fresh.db")
    open_journal(fresh).close()

    assert schema(old_url) == schema(fresh)
    assert version(old_url) == version(fresh) == tables.VERSION


def test_an_older_journal_is_migrated_by_a_session_and_not_by_a_reader(old_url):
    before = schema(old_url)

    with pytest.raises(JournalError, match="start a session once"):
        open_journal(old_url, read_only=True)

    assert schema(old_url) == before and version(old_url) == 1


def fail(connection):
    connection.exec_driver_sql("CREATE TABLE half_made (x INTEGER)")
    connection.exec_driver_sql("INSERT INTO half_made VALUES (1)")
    raise OSError("no space left on device")


def die(connection):
    connection.exec_driver_sql("CREATE TABLE half_made (x INTEGER)")
    os.kill(os.getpid(), signal.SIGKILL)


def open_with(step, url):
    tables.MIGRATIONS = (*tables.MIGRATIONS, step)
    open_journal(url)


def test_a_migration_that_fails_leaves_the_old_journal_whole(old_url, monkeypatch):
    before = schema(old_url)
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, fail))

    with pytest.raises(JournalError, match="make room on the disk"):
        open_journal(old_url)

    assert schema(old_url) == before and version(old_url) == 1
    monkeypatch.undo()
    journal = open_journal(old_url)
    assert kept(journal) == [fill(1), fill(2)]
    journal.close()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_process_killed_while_migrating_leaves_the_old_journal_whole(old_url):
    before = schema(old_url)

    child = multiprocessing.get_context("spawn").Process(target=open_with, args=(die, old_url))
    child.start()
    child.join()

    assert child.exitcode == -signal.SIGKILL
    assert schema(old_url) == before and version(old_url) == 1
    journal = open_journal(old_url)
    assert kept(journal) == [fill(1), fill(2)]
    journal.close()


def test_a_new_journal_whose_making_was_cut_short_is_made_again(journal_url, monkeypatch):
    def cut_short(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(tables, "set_fact", cut_short)
    with pytest.raises(JournalError, match="make room"):
        open_journal(journal_url)
    monkeypatch.undo()

    journal = open_journal(journal_url)
    journal.append(fill(1))
    journal.flush()
    assert kept(journal) == [fill(1)]
    journal.close()


@pytest.mark.parametrize("read_only", [False, True], ids=["written", "read"])
def test_a_journal_of_a_later_version_is_refused(journal_url, read_only):
    open_journal(journal_url).close()
    behind_its_back(journal_url, "UPDATE meta SET value = '99' WHERE name = 'version'")

    with pytest.raises(JournalError, match="version 99, this program knows 2: use the newer"):
        open_journal(journal_url, read_only=read_only)

    assert version(journal_url) == 99


def test_facts_of_the_first_version_are_read_as_they_were(old_url):
    journal = open_journal(old_url)

    (session,) = journal.sessions()

    assert (session.mode, session.exit_reason, session.first_seq) == ("paper", "stopped", 1)
    assert json.dumps(session.document) == '{"plans": ["gold"]}'
    journal.close()
