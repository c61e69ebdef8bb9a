"""An archive takes the past out of a journal, which goes on where it was."""

import pytest

from live.journal import JournalError, open_journal
from tests.live.journals import FACTS, behind_its_back, booked, fill, intent, kept


@pytest.fixture
def past(journal_url):
    """A journal whose one session has ended."""
    journal = open_journal(journal_url, "demo")
    journal.begin(FACTS)
    for number in range(1, 200):
        journal.append(fill(number))
        if number % 2:
            journal.flush()
    journal.execution(booked())
    journal.save_state("guard", {"floor": 1.0})
    journal.note("lock", {"rule": "daily_loss"}, ts=1)
    journal.intend(intent("1"))
    journal.end("stopped")
    yield journal
    journal.close()


def test_an_archive_is_a_journal_of_all_that_was(past, tmp_path):
    past.archive(tmp_path / "past.db")

    archive = open_journal(str(tmp_path / "past.db"), "demo", read_only=True)
    assert kept(archive) == [fill(n) for n in range(1, 200)]
    assert [item.order_id for item in archive.intents()] == ["1"]
    assert archive.notes()[0]["rule"] == "daily_loss"
    assert archive.executions() == past.executions() and archive.sessions() == past.sessions()
    assert archive.state("guard") == {"floor": 1.0}
    archive.close()
    assert {"past.db"} <= {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.glob("past.db-part*"))


def test_what_a_next_session_needs_stays(past, journal_url, tmp_path):
    past.archive(tmp_path / "past.db")

    assert past.begin(FACTS) == 2
    assert past.append(fill(200)) == 200
    past.intend(intent("2"))
    past.end("stopped")
    past.close()

    again = open_journal(journal_url, "demo")
    assert list(again.events()) == [(200, fill(200))]
    assert [item.order_id for item in again.intents()] == ["2"] and again.notes() == []
    assert [session.session_id for session in again.sessions()] == [1, 2]
    assert again.state("guard") == {"floor": 1.0}
    with pytest.raises(JournalError, match="is booked already"):
        again.execution(booked())
    with pytest.raises(JournalError, match=r"events 1 to 199 were archived to .*past\.db"):
        list(again.events(1))
    again.archive(tmp_path / "later.db")
    assert list(again.events()) == []
    again.close()

    later = open_journal(str(tmp_path / "later.db"), read_only=True)
    assert list(later.events()) == [(200, fill(200))]
    later.close()


def test_an_archive_gives_back_room(past, tmp_path):
    for number in range(40):
        past.note("alert", {"text": str(number) * 20_000}, ts=1)
    past.flush()
    before = past.size()

    past.archive(tmp_path / "past.db")

    assert past.size() < before / 2 or "postgresql" in past.place


def test_a_running_session_is_not_archived(past, tmp_path):
    past.begin(FACTS)

    with pytest.raises(JournalError, match="end the session before"):
        past.archive(tmp_path / "past.db")
    past.end("stopped")


def test_a_file_that_is_there_is_not_written_over(past, tmp_path):
    (tmp_path / "past.db").write_text("mine")

    with pytest.raises(JournalError, match="is there already"):
        past.archive(tmp_path / "past.db")

    assert (tmp_path / "past.db").read_text() == "mine" and len(kept(past)) == 199


@pytest.mark.parametrize("harm", ["gone", "changed", "no room"])
def test_what_cannot_be_archived_whole_stays_as_it_is(past, journal_url, tmp_path, harm):
    place = tmp_path / "past.db"
    if harm == "gone":
        behind_its_back(journal_url, "DELETE FROM sequence WHERE first_seq = 102", "demo")
    elif harm == "changed":
        junk = "'\\x6a'" if "://" in journal_url else "x'6a'"
        change = f"UPDATE sequence SET block = {junk} WHERE first_seq = 102"
        behind_its_back(journal_url, change, "demo")
    else:
        place = tmp_path / "nowhere" / "past.db"

    with pytest.raises(JournalError, match=r"event 102 on|must exist and be writable"):
        past.archive(place)

    assert not list(tmp_path.glob("past*")) and len(past.intents()) == 1
    assert [seq for seq, _ in past.events(104)] == list(range(104, 200))
