"""Whose journal it is, and that one process writes to it."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from live.journal import JournalError, list_accounts, open_journal
from tests.live.journals import FACTS, behind_its_back, fill, intent, kept, numbers

ROOT = Path(__file__).resolve().parents[2]


def test_one_server_holds_many_accounts_apart(postgres_url):
    names = ["demo", "topstep_50k", "Demo", "de-mo", "de.mo", "x" * 64, "y" * 64]
    for number, name in enumerate(names, 1):
        journal = open_journal(postgres_url, name)
        journal.begin(FACTS)
        for _ in range(number):
            journal.append(fill(1))
        journal.close()

    assert list_accounts(postgres_url) == sorted(names)
    for number, name in enumerate(names, 1):
        reader = open_journal(postgres_url, name, read_only=True)
        assert len(numbers(reader)) == number and len(reader.sessions()) == 1
        reader.close()


def test_the_schema_of_an_account_bears_its_name(postgres_url, postgres_server):
    open_journal(postgres_url, "topstep_50k").close()

    found = postgres_server.command(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tola%'", postgres_url
    )
    assert found == [("tola_topstep_50k",)]


def test_a_file_is_the_journal_of_one_account(tmp_path):
    place = str(tmp_path / "j.db")
    assert list_accounts(place) == []
    open_journal(place).close()
    assert list_accounts(place) == [""]
    open_journal(place, "demo").close()
    assert list_accounts(f"sqlite:///{place}") == ["demo"]

    for read_only in (False, True):
        with pytest.raises(JournalError, match="of account 'demo', not 'main'"):
            open_journal(place, "main", read_only=read_only)
    open_journal(place, "demo").close()


def test_accounts_without_a_journal_cannot_be_read(postgres_url):
    open_journal(postgres_url, "demo").close()

    with pytest.raises(JournalError, match="start a session once"):
        open_journal(postgres_url, "main", read_only=True)
    assert list_accounts(postgres_url) == ["demo"]


def test_a_second_writer_is_refused_and_the_first_goes_on(journal_url):
    first = open_journal(journal_url, "demo")
    first.begin(FACTS)
    first.append(fill(1))

    with pytest.raises(JournalError, match=f"process {os.getpid()} on .*end that session first"):
        open_journal(journal_url, "demo")

    first.intend(intent())
    assert numbers(first) == [1]
    first.close()
    open_journal(journal_url, "demo").close()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_journal_by_another_name_is_the_same_journal(tmp_path, monkeypatch):
    (tmp_path / "link.db").symlink_to(tmp_path / "j.db")
    first = open_journal(str(tmp_path / "link.db"))
    monkeypatch.chdir(tmp_path)

    for name in ("j.db", "link.db"):
        with pytest.raises(JournalError, match="end that session first"):
            open_journal(name)

    first.append(fill(1))
    first.intend(intent())
    first.close()


def test_readers_are_not_kept_out_by_the_writer(journal_url):
    writer = open_journal(journal_url)
    writer.append(fill(1))
    writer.flush()

    readers = [open_journal(journal_url, read_only=True) for _ in range(3)]

    assert [numbers(reader) for reader in readers] == [[1]] * 3
    for journal in (*readers, writer):
        journal.close()


CHILD = """
import sys
from live.journal import open_journal
journal = open_journal(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_writer_that_was_killed_keeps_nobody_out(journal_url):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, journal_url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert child.stdout.readline() == b"open\n"
    with pytest.raises(JournalError, match=f"process {child.pid} on"):
        open_journal(journal_url)

    os.kill(child.pid, signal.SIGKILL)
    child.wait()

    open_journal(journal_url).close()
    child.stdin.close()
    child.stdout.close()


def test_a_writer_whose_place_was_taken_stops_and_spoils_nothing(journal_url):
    first = open_journal(journal_url)
    first.begin(FACTS)
    first.append(fill(1))
    first.flush()
    first.append(fill(9))
    behind_its_back(journal_url, "UPDATE writer SET token = 'another', holder = 'process 7 on x'")

    for _ in range(2):
        with pytest.raises(JournalError, match="process 7 on x: another process writes"):
            first.intend(intent())
    first.close(abandon=True)

    journal = open_journal(journal_url)
    assert kept(journal) == [fill(1)] and journal.intents() == []
    journal.close()


def test_a_place_that_holds_something_else_is_left_alone(journal_url, request):
    if "://" in journal_url:
        postgres_server = request.getfixturevalue("postgres_server")
        postgres_server.command("CREATE SCHEMA tola", journal_url)
        postgres_server.command("CREATE TABLE tola.prices (x int)", journal_url)
    else:
        with sqlite3.connect(journal_url) as raw:
            raw.execute("CREATE TABLE prices (x int)")

    with pytest.raises(JournalError, match="no journal: name another place"):
        open_journal(journal_url)


def test_every_commit_is_on_the_disk_before_it_is_told(journal_url):
    journal = open_journal(journal_url)
    with journal._database.reading() as connection:
        if connection.dialect.name == "sqlite":
            asked = [("journal_mode", "wal"), ("synchronous", 2)]
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name, _ in asked]
        else:
            asked = [("synchronous_commit", "on"), ("fsync", "on")]
            found = [connection.scalar(sa.text(f"SHOW {name}")) for name, _ in asked]
    journal.close()

    assert found == [value for _, value in asked]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://tola@127.0.0.1/x", "sqlite or postgresql"),
        ("://", "cannot be read"),
        ("postgresql://tola@127.0.0.1:port/x", "cannot be read"),
    ],
)
def test_an_address_that_names_no_journal_is_refused(url, why):
    with pytest.raises(JournalError, match=why):
        open_journal(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_addresses_as_hosts_give_them_are_taken(postgres_url, scheme):
    url = scheme + postgres_url.removeprefix("postgresql+psycopg")

    journal = open_journal(url, "demo")

    assert journal.last_seq == 0
    journal.close()


def test_passwords_of_an_address_are_never_shown():
    with pytest.raises(JournalError) as caught:
        open_journal("postgresql+psycopg://tola:planted-secret@127.0.0.1:1/none")

    assert "planted-secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
    assert "that the server runs" in str(caught.value)
