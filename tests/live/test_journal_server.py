"""A PostgreSQL server that stops, hangs, fills up or throws us out loses and doubles nothing."""

import os
import shutil
import subprocess
import time

import pytest
import sqlalchemy as sa

from live.journal import JournalError, open_journal, postgres, writer
from tests.live.journals import FACTS, fill, intent, kept, numbers


def begun(url):
    """A journal with one event and one intent written, and one event waiting."""
    journal = open_journal(url, "demo")
    journal.begin(FACTS)
    journal.append(fill(1))
    journal.intend(intent("1"))
    journal.append(fill(2))
    return journal


@pytest.fixture
def journal(postgres_url):
    journal = begun(postgres_url)
    yield journal
    journal.close(abandon=True)


def is_whole(url, count):
    """Read by another connection: so many events, each once."""
    reader = open_journal(url, "demo", read_only=True)
    assert kept(reader) == [fill(n) for n in range(1, count + 1)]
    reader.close()
    return True


def throw_out(server, journal):
    """End the journal's connection as its administrator would."""
    backend = journal._database._backend
    assert server.command(f"SELECT pg_terminate_backend({backend})") == [(True,)]


def test_a_server_stopped_and_started_again(fragile_server):
    url = fragile_server.make_database()
    journal = begun(url)
    fragile_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(JournalError, match="check DATABASE_URL and that the server runs"):
                journal.intend(intent("2"))
        assert "that the server runs" in str(journal.try_intend(intent("exit")))
        journal.append(fill(3))
    finally:
        fragile_server.start()

    journal.intend(intent("3"))

    assert not journal.is_behind and is_whole(url, 3)
    assert [item.order_id for item in journal.intents()] == ["1", "exit", "3"]
    journal.close()


def test_a_connection_thrown_out_is_made_again(journal, postgres_server, postgres_url):
    throw_out(postgres_server, journal)
    with pytest.raises(JournalError, match="that the server runs"):
        journal.intend(intent("2"))

    journal.append(fill(3))
    journal.flush()

    assert is_whole(postgres_url, 3)
    assert [item.order_id for item in journal.intents()] == ["1"]


def test_who_was_thrown_out_does_not_write_beside_who_came_instead(
    journal, postgres_server, postgres_url
):
    throw_out(postgres_server, journal)
    other = open_journal(postgres_url, "demo")
    other.begin(FACTS)
    other.append(fill(2))
    other.flush()

    for _ in range(2):
        with pytest.raises(JournalError):
            journal.intend(intent("2"))
    other.close()
    with pytest.raises(JournalError, match="another process writes to it"):
        journal.intend(intent("2"))

    assert is_whole(postgres_url, 2)


def test_a_server_that_hangs_is_given_up_in_time(fragile_server):
    journal = begun(fragile_server.make_database())
    postgres._raw(journal._database._ready()).patience_secs = 0.5
    go_on = fragile_server.freeze()
    began = time.monotonic()
    try:
        with pytest.raises(JournalError, match="the server is silent for"):
            journal.intend(intent("2"))
        with pytest.raises(JournalError, match="check DATABASE_URL"):
            journal.intend(intent("2"))
        assert time.monotonic() - began < 5
        assert journal.try_intend(intent("exit")) is not None
    finally:
        go_on()

    journal.append(fill(3))
    journal.flush()

    assert kept(journal) == [fill(1), fill(2), fill(3)]
    assert [item.order_id for item in journal.intents()] == ["1", "exit"]
    journal.close()


def test_a_commit_that_hangs_at_the_server_is_found_out(journal, postgres_server, postgres_url):
    """The client gives up while the server waits for a lock; what it asked for is not doubled."""
    engine = sa.create_engine(postgres_url)
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE tola_demo.sequence IN EXCLUSIVE MODE")
        with pytest.raises(JournalError, match="another process writes to it"):
            journal.flush()
        other.rollback()
    engine.dispose()

    journal.append(fill(3))
    journal.flush()

    assert is_whole(postgres_url, 3)


def test_a_connection_lost_at_the_very_commit_doubles_nothing(
    journal, postgres_server, postgres_url, monkeypatch
):
    def commit_then_lose(self):
        monkeypatch.undo()
        self.commit()
        throw_out(postgres_server, journal)
        self.execute("SELECT 1")

    driver = postgres._raw(journal._database._ready())
    monkeypatch.setattr(driver.__class__, "commit", commit_then_lose)
    with pytest.raises(JournalError):
        journal.intend(intent("2"))
    assert journal.written_seq == 1
    assert is_whole(postgres_url, 2)

    journal.append(fill(3))
    journal.flush()

    assert is_whole(postgres_url, 3)
    assert [item.order_id for item in journal.intents()] == ["1"]


def test_a_servers_full_disk_holds_events_back_until_there_is_room(fragile_server, monkeypatch):
    monkeypatch.setattr(writer, "FLUSH_SECS", 0.0)
    folder = fragile_server.home / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(mount).returncode:
        pytest.skip("this user may not mount a small disk")
    shutil.chown(folder, "postgres")
    try:
        fragile_server.command(f"CREATE TABLESPACE small LOCATION '{folder}'")
        url = fragile_server.make_database("TABLESPACE small")
        journal = open_journal(url, "demo")
        journal.begin(FACTS)
        filler = folder / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - 300_000))
        count = 0

        while not journal.is_behind:
            count += 1
            journal.note("alert", {"text": os.urandom(10_000).hex()}, ts=count)
            journal.append(fill(count))
            journal.try_flush()
        assert "make room on the server's disk" in str(journal.trouble)
        with pytest.raises(JournalError, match="make room on the server's disk"):
            journal.intend(intent("1"))
        filler.unlink()
        journal.intend(intent("2"))

        assert numbers(journal) == list(range(1, count + 1)) and len(journal.notes()) == count
        assert [item.order_id for item in journal.intents()] == ["2"]
        journal.close()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_tables_dropped_under_us_are_named(journal, postgres_server, postgres_url):
    postgres_server.command("DROP SCHEMA tola_demo CASCADE", postgres_url)

    for _ in range(2):
        with pytest.raises(JournalError, match="its tables are gone: restore a copy"):
            journal.flush()


@pytest.mark.parametrize(
    ("statement", "user", "why"),
    [
        ("SELECT 1", "nobody_known", "check the user and password"),
        ("CREATE ROLE guest LOGIN", "guest", "grant it CREATE on the database"),
    ],
    ids=["unknown user", "user without rights"],
)
def test_a_user_that_may_not_is_told_what_is_missing(
    postgres_server, postgres_url, statement, user, why
):
    postgres_server.command(statement)
    url = sa.make_url(postgres_url).set(username=user).render_as_string()

    with pytest.raises(JournalError, match=why):
        open_journal(url, "demo")


def test_a_database_that_is_not_there_is_named(postgres_server):
    url = sa.make_url(postgres_server.url).set(database="nowhere").render_as_string()

    with pytest.raises(JournalError, match="there is no such database: create it"):
        open_journal(url, "demo")
