"""Words the journal's tests share."""

import sqlalchemy as sa

from core.events import Execution
from core.orders import Side
from live.journal import BookedFill, Intent, SessionFacts

FACTS = SessionFacts("paper", "paper", "demo", {"plans": ["gold"]})


def fill(number):
    return Execution(f"f{number}", "v1", "MGC", Side.BUY, 1.0, 2400.0 + number, ts_init=number)


def intent(order_id="1"):
    return Intent("submit", order_id, "gold", "MGC", {"quantity": 1.0, "price": 2400.1})


def booked(fill_id="f1", venue="paper"):
    return BookedFill(fill_id, venue, "1", "gold", "MGC", Side.SELL, 2.0, 2400.1, 5, {"fee": 0.5})


def numbers(journal):
    """The numbers of all events written."""
    return [seq for seq, _ in journal.events()]


def kept(journal):
    """The events written, whose numbers run from 1 without a hole."""
    told = list(journal.events())
    assert [seq for seq, _ in told] == list(range(1, len(told) + 1))
    return [event for _, event in told]


def behind_its_back(url, statement, account=""):
    """Change the tables of a journal without the journal."""
    engine = sa.create_engine(url if "://" in url else f"sqlite:///{url}")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            from live.journal.postgres import schema_of

            connection.exec_driver_sql(f"SET LOCAL search_path = {schema_of(account)}")
        connection.exec_driver_sql(statement)
    engine.dispose()
