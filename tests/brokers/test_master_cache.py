"""Kept contract lists: fetched once a day; damaged, old or absent ones are told, not trusted."""

import json
import logging
import threading

import pytest

from brokers.errors import AuthError, Disconnected
from brokers.master import ContractMaster, read_rows
from brokers.master_cache import MasterCache, load_master
from core.errors import BrokerError, DataError
from core.rolls import RollRule
from tests.brokers.contract_rows import (
    DAY,
    MERIDIAN_ROWS,
    bazaar_contract,
    bazaar_rows,
    meridian_mapping,
    origin,
)

SYMBOLS = ("NIFTY-FUT", "GOLDM")


def master_of(on=DAY, symbols=SYMBOLS):
    return read_rows(bazaar_rows(), bazaar_contract, symbols, origin(on=on))


@pytest.fixture
def cache(tmp_path):
    return MasterCache("bazaar", folder=tmp_path)


class Venue:
    """A venue that counts how often its list is fetched, or does not answer."""

    def __init__(self, fault=None):
        self.fault = fault
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.fault:
            raise self.fault
        return master_of()


DEAD = Disconnected("no route", venue="bazaar", operation="instruments")


def damage(cache, text):
    path = cache.folder / "2026-09-02.json"
    path.write_text(text)
    return path


# -- kept and found -------------------------------------------------------------------------------


def test_a_list_is_fetched_once_a_day(cache):
    venue = Venue()

    first = load_master(cache, DAY, SYMBOLS, venue)
    second = load_master(cache, DAY, SYMBOLS, venue)

    assert venue.asked == 1
    assert second.all == first.all
    assert second.origin == first.origin


def test_what_is_kept_tells_where_it_came_from(cache):
    load_master(cache, DAY, SYMBOLS, Venue())

    kept = json.loads((cache.folder / "2026-09-02.json").read_text())["origin"]

    assert (kept["venue"], kept["source"], kept["rows"]) == ("bazaar", "https://x/list", 7)
    described = load_master(cache, DAY, SYMBOLS, Venue()).origin.describe()
    assert described == (
        "bazaar 2026-09-02 (fetched 2026-09-02 03:00 UTC from https://x/list, 7 rows)"
    )


def test_a_secret_in_the_lists_address_is_not_kept(cache):
    given = origin()
    given = type(given)(**{**_fields(given), "source": "https://x/list?access_token=abcdefghij"})
    cache.write(read_rows(bazaar_rows(), bazaar_contract, SYMBOLS, given))

    assert "abcdefghij" not in (cache.folder / "2026-09-02.json").read_text()


def _fields(record):
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def test_a_symbol_that_was_not_asked_for_before_makes_it_fetch_anew(cache):
    cache.write(master_of(symbols=("NIFTY-FUT",)))
    venue = Venue()

    master = load_master(cache, DAY, ("GOLDM",), venue)

    assert venue.asked == 1
    assert "GOLDM" in master.symbols


def test_a_list_made_by_another_mapping_is_fetched_anew(cache, tmp_path):
    cache.write(master_of())

    assert MasterCache("bazaar", mapping="2", folder=tmp_path).read(DAY, SYMBOLS) is None


def test_accounts_whose_lists_differ_have_each_their_own(tmp_path):
    symbols = ("XAUUSD",)
    one, two = (MasterCache("meridian", scope, folder=tmp_path) for scope in ("demo 7", "demo-7"))
    one.write(
        read_rows(
            MERIDIAN_ROWS,
            meridian_mapping(symbols, MERIDIAN_ROWS),
            symbols,
            origin("meridian", "demo 7"),
        )
    )

    assert one.read(DAY, symbols) is not None
    assert two.read(DAY, symbols) is None


def test_the_last_few_days_are_kept(cache):
    for day in range(DAY - 9, DAY + 1):
        cache.write(master_of(day))

    assert cache.days() == list(range(DAY - 4, DAY + 1))


def test_a_kept_list_can_be_used_with_another_roll_rule(cache):
    cache.write(master_of())

    master = load_master(
        cache, DAY, SYMBOLS, Venue(DEAD), make=lambda *kept: ContractMaster(*kept, RollRule(5))
    )

    assert master.contract_on("GOLDM", DAY).venue_symbol == "GOLDM26OCTFUT"


def test_many_who_write_at_once_leave_a_whole_file(cache):
    threads = [threading.Thread(target=cache.write, args=(master_of(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.read(DAY, SYMBOLS) is not None
    assert [path.name for path in cache.folder.iterdir()] == ["2026-09-02.json"]


# -- damaged --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"lot": 65.0', '"lot": 75.0'),
        lambda text: text.replace('"lot": 65.0', '"lot": -65.0'),
        lambda text: text.replace('"contracts"', '"contrakts"'),
        lambda text: text.replace('"venue": "bazaar"', '"venue": "souk"'),
    ],
    ids=["cut", "empty", "another form", "changed", "impossible", "a key", "another venue's"],
)
def test_a_damaged_list_is_an_error_that_names_the_file_and_is_fetched_anew(cache, spoil, caplog):
    cache.write(master_of())
    path = cache.folder / "2026-09-02.json"
    damage(cache, spoil(path.read_text()))
    with pytest.raises(DataError, match=r"2026-09-02\.json"):
        cache.read(DAY, SYMBOLS)
    venue = Venue()

    with caplog.at_level(logging.WARNING):
        master = load_master(cache, DAY, SYMBOLS, venue)

    assert venue.asked == 1
    assert master.contract_on("NIFTY-FUT", DAY).lot == 65
    assert path.with_suffix(".damaged").exists()


def test_damaged_and_not_to_be_fetched_says_both(cache):
    cache.write(master_of())
    damage(cache, "{")

    with pytest.raises(BrokerError, match=r"no route.*none is kept; the kept one was damaged"):
        load_master(cache, DAY, SYMBOLS, Venue(DEAD))


# -- absent and old -------------------------------------------------------------------------------


def test_without_any_list_the_error_says_what_was_asked_and_what_to_do(cache):
    with pytest.raises(BrokerError) as caught:
        load_master(cache, DAY, SYMBOLS, Venue(DEAD))

    assert str(caught.value) == (
        "bazaar: the contract list of 2026-09-02 cannot be fetched (bazaar instruments: no route); "
        "none is kept: try again when the venue answers"
    )


def test_yesterdays_list_does_not_stand_in_unless_that_is_allowed(cache):
    cache.write(master_of(DAY - 1))

    with pytest.raises(BrokerError, match="the newest kept is of 2026-09-01"):
        load_master(cache, DAY, SYMBOLS, Venue(DEAD))


def test_a_list_that_stands_in_says_how_old_it_is(cache):
    cache.write(master_of(DAY - 1))

    master = load_master(cache, DAY, SYMBOLS, Venue(DEAD), oldest_days=1)

    assert master.origin.stale_for == 1
    assert "1 days old" in master.origin.describe()
    with pytest.raises(BrokerError):
        load_master(cache, DAY + 1, SYMBOLS, Venue(DEAD), oldest_days=1)


def test_a_damaged_old_list_is_passed_over_for_an_older_one(cache):
    cache.write(master_of(DAY - 2))
    cache.write(master_of(DAY - 1))
    (cache.folder / "2026-09-01.json").write_text("{")

    master = load_master(cache, DAY, SYMBOLS, Venue(DEAD), oldest_days=2)

    assert master.origin.stale_for == 2


def test_a_login_that_is_asked_for_is_not_hidden_behind_an_old_list(cache):
    cache.write(master_of(DAY - 1))

    with pytest.raises(AuthError):
        load_master(cache, DAY, SYMBOLS, Venue(AuthError("log in")), oldest_days=5)


def test_where_nothing_can_be_kept_the_list_is_used_all_the_same(tmp_path):
    (tmp_path / "bazaar").write_text("a file where the folder should be")
    cache = MasterCache("bazaar", folder=tmp_path)

    master = load_master(cache, DAY, SYMBOLS, Venue())

    assert master.contract_on("NIFTY-FUT", DAY).venue_symbol == "NIFTY26SEPFUT"
