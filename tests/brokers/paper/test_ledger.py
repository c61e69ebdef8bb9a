"""The paper account's file: one writer, one version, and what is wrong with it is said."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.paper.ledger import LEDGER_VERSION, PaperLedger
from core.errors import BrokerError
from tests.brokers.paper.desk import Desk, bracket, fills_in, order, states_in

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.db"


@pytest.fixture
def desk(path):
    desk = Desk(path)
    desk.price(2000.0)
    return desk


def test_an_account_goes_on_where_it_was_left(desk):
    desk.submit(bracket("1", "buy", 2, 1990, 2010))
    desk.price(2001.0)
    before = (desk.working, desk.positions, desk.snapshot().account, desk.snapshot().executions)

    desk.venue.disconnect()
    desk.restart()

    after = (desk.working, desk.positions, desk.snapshot().account, desk.snapshot().executions)
    assert after == before
    assert fills_in(desk.price(1989.0)) == [("1.s", "sell", 2.0, 1989.0)]


def test_an_id_that_a_dead_process_used_is_not_used_again(desk):
    desk.submit(bracket("1", "buy", 2, 1990, 2010))
    desk.restart()

    told = desk.submit(order("1.t", "buy", 1))

    assert told[0].reason == "this id was used"
    assert len(desk.venue.ledger.orders()) == 3


def test_what_is_told_is_in_the_file_before_anybody_hears_it(path):
    from brokers.paper.venue import PaperVenue
    from core.events import Execution, OrderUpdate

    missing = []
    desk = Desk(path)
    outside = PaperLedger(path, read_only=True)

    def look(event):
        if isinstance(event, Execution):
            found = [row for row in outside.fills() if f"F{row['number']}" == event.fill_id]
        elif isinstance(event, OrderUpdate):
            found = [
                row
                for row in outside.orders()
                if f"P{row['number']}" == event.venue_order_id and row["version"] >= event.version
            ]
        else:
            return
        missing.extend([] if found else [event])

    told = desk.told
    desk.venue.disconnect()
    desk.venue = PaperVenue(
        lambda event: (look(event), told.append(event)), desk.market, 1.0,
        ledger=PaperLedger(path), discrete=True,
    )  # fmt: skip
    from tests.brokers.paper.desk import DOLLARS, HOUR, free

    desk.venue.add_plan("gold", free(), DOLLARS, HOUR)
    desk.venue.connect(0)
    desk.price(2000.0)
    desk.submit(bracket("1", "buy", 2, 1990, 2010))
    desk.modify("1.s", price=1991.0)
    desk.prices(2001.0, 2005.0, 2011.0)

    assert missing == []
    assert fills_in(told)[-1] == ("1.t", "sell", 2.0, 2011.0)


def test_nothing_is_written_while_nothing_happens(desk):
    desk.submit(bracket("1", "buy", 2, 1990, 2010))
    desk.price(2001.0)
    written = []
    desk.venue.ledger.write = written.append

    desk.prices(2002.0, 2003.0, 2002.5)

    assert written == []


def test_only_the_book_in_which_something_happened_is_written():
    desk = Desk(plans={"gold": "MGC", "other": "MGC"})
    desk.price(2000.0)
    desk.submit(order("1", "buy", 1))
    desk.submit(order("2", "buy", 1, plan_id="other"))
    desk.price(2000.0)
    entries = []
    write = desk.venue.ledger.write
    desk.venue.ledger.write = lambda entry: (entries.append(entry), write(entry))

    desk.submit(order("3", "sell", 1))

    (entry,) = entries
    assert [book[0] for book in entry.books] == ["gold"]
    assert [row[0] for row in entry.orders] == [3]


# -- what may be wrong with it ---------------------------------------------------------------


def test_a_second_process_is_told_that_the_account_is_in_use(desk, path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from brokers.paper.ledger import PaperLedger\n"
        "try:\n"
        "    PaperLedger(Path(sys.argv[1]))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout.startswith("BrokerError ")
    assert "another process runs on this paper account; end it, or wait for it" in done.stdout


def test_an_account_in_use_can_be_looked_at_but_not_written(desk, path):
    desk.submit(order("1", "buy", 1))

    outside = PaperLedger(path, read_only=True)

    assert [row["order_id"] for row in outside.orders()] == ["1"]
    desk.price(2001.0)
    assert [row["price"] for row in outside.fills()] == [2001.0]


def test_a_file_of_another_version_is_left_alone(desk, path):
    desk.venue.disconnect()
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version={LEDGER_VERSION + 1}")
    before = path.read_bytes()

    with pytest.raises(
        BrokerError,
        match=f"is of version {LEDGER_VERSION + 1}, this program writes version {LEDGER_VERSION}; "
        "use the program that made it, or move it aside",
    ):
        PaperLedger(path)
    assert path.read_bytes() == before


def test_a_file_whose_books_have_another_layout_is_left_alone(desk, path):
    desk.submit(order("1", "buy", 1))
    desk.venue.disconnect()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE account SET layout = 'old'")

    with pytest.raises(BrokerError, match="counts in other records; use the program that made it"):
        PaperLedger(path)


def test_a_database_that_is_none_of_ours_is_left_alone(path):
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE orders (x)")

    with pytest.raises(BrokerError, match="is not a paper account's ledger; name another file"):
        PaperLedger(path)


@pytest.mark.parametrize("damage", ["head", "middle"])
def test_a_damaged_file_is_said_to_be_damaged(desk, path, damage):
    for number in range(40):
        desk.submit(order(str(number), "buy", 1, "limit", price=1900.0))
    desk.venue.disconnect()
    whole = bytearray(path.read_bytes())
    place = 0 if damage == "head" else len(whole) // 2
    whole[place : place + 6000] = b"\xff" * 6000
    path.write_bytes(whole)

    with pytest.raises(BrokerError, match=r"ledger is damaged \(.*\); restore a copy of it, or"):
        PaperLedger(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BrokerError, match=r"cannot be opened .* see that its folder is there"):
        PaperLedger(tmp_path / "none" / "paper.db")


def test_what_cannot_be_written_is_not_told_and_ends_the_account(desk, monkeypatch):
    desk.submit(bracket("1", "buy", 2, 1990, 2010))
    desk.told.clear()

    def full(entry):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(desk.venue.ledger, "_put", full)
    with pytest.raises(BrokerError, match=r"cannot be written \(database or disk is full\); see"):
        desk.price(2001.0)
    with pytest.raises(BrokerError, match=r"could not be written before: .* start it again"):
        desk.submit(order("2", "buy", 1))
    monkeypatch.undo()

    assert desk.told == []
    desk.restart()
    assert fills_in(desk.price(2002.0)) == [("1", "buy", 2.0, 2002.0)]


# -- accounts that other settings find -------------------------------------------------------


def test_positions_kept_one_way_are_not_gone_on_with_the_other_way(desk):
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)
    desk.terms["hedging"] = True

    with pytest.raises(BrokerError, match=r"keeps its positions netting .* positions = 'netting'"):
        desk.restart()


def test_a_flat_account_may_change_how_it_keeps_positions(desk):
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)
    desk.close()
    desk.price(2001.0)
    desk.terms["hedging"] = True

    desk.restart()
    desk.price(2001.0)
    desk.submit(order("2", "buy", 1))
    desk.price(2001.0)

    assert list(desk.positions.values()) == [1.0]


def test_a_plan_that_holds_something_else_is_named(desk):
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)
    desk.plans = {"gold": "XAUUSD"}

    with pytest.raises(BrokerError, match=r"plan gold has something open in MGC .* trades XAUUSD"):
        desk.restart()


def test_what_a_plan_left_open_that_is_gone_is_a_foreign_position(desk):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.price(2000.0)
    desk.plans = {"silver": "MGC"}

    desk.restart()

    assert desk.positions == {"MGC": 1.0}
    told = desk.price(1989.0)
    assert fills_in(told) == [("1.s", "sell", 1.0, 1989.0)]
    assert ("1.t", "CANCELLED") in states_in(told)


def test_connecting_twice_changes_nothing_and_a_closed_account_stays_closed(desk):
    desk.submit(order("1", "buy", 1))
    desk.price(2000.0)
    desk.venue.connect(desk.now)
    assert desk.positions == {"MGC": 1.0}

    desk.venue.disconnect()
    desk.venue.disconnect()
    with pytest.raises(BrokerError, match="was closed: build a new one over its ledger"):
        desk.venue.connect(desk.now)


def test_a_snapshot_of_a_closed_account_says_that_it_failed(desk):
    desk.venue.disconnect()

    snapshot = desk.snapshot()

    assert snapshot.account is None and "was closed" in snapshot.error


def test_orders_that_ended_while_nobody_listened_are_in_the_snapshot(desk):
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.price(2000.0)
    since = desk.now
    desk.price(1989.0)
    desk.restart()

    states = {item.order_id: item.status.name for item in desk.snapshot(since + 1).orders}

    assert states == {"1.s": "FILLED", "1.t": "CANCELLED"}
