"""What stands in tola.toml is what feeds, broker and session go by."""

from pathlib import Path

import pytest

from brokers.live_terms import Foreign, LiveTerms
from brokers.retries import RetryPolicy
from core.config import LiveSettings, load
from core.config_fields import GROUP_FIELDS, LIVE_FIELDS
from feeds.live import FeedTerms
from live.settings import FAST, broker_terms, feed_terms, session_terms, settings_of

TEXT = """
[live]
foreign = "count"
balance_tolerance = "off"
close_retry_secs = 7
hole_bars = 3
bar_settle_secs = 1.5
max_retries = 4
latency_ms = 20
[accounts.prop]
venue = "topstepx"
foreign = "halt"
max_retries = 2
stale_secs = 12
"""


@pytest.fixture
def read(tmp_path):
    def read(account=None, flags=None, text=TEXT):
        path = Path(tmp_path / "mine.toml")
        path.write_text(text)
        config = load(path, env={}, flags=flags or {})
        return settings_of(config.live, config.stored(), account), config.stored()

    return read


def test_live_holds_for_accounts_that_say_nothing(read):
    live, origins = read("other")
    terms = session_terms(live, origins)

    assert terms.broker == LiveTerms(retry_secs=7.0, foreign=Foreign.COUNT, balance_tolerance=None)
    assert (terms.feed.hole_bars, terms.feed.settle_ns) == (3, 1_500_000_000)
    assert (terms.latency_ms, terms.speed) == (20.0, FAST)
    assert RetryPolicy.of(live).max_retries == 4


def test_an_accounts_own_fields_hold_before_those_of_live(read):
    live, _ = read("prop")

    assert broker_terms(live).foreign is Foreign.HALT
    assert feed_terms(live).stale_ns == 12_000_000_000
    assert RetryPolicy.of(live).max_retries == 2
    assert live.close_retry_secs == 7.0


def test_a_flag_holds_before_both(read):
    text = TEXT + "at_end = 'keep'\n"

    live, _ = read("prop", {"at_end": "flatten"}, text)

    assert live.at_end == "flatten"


def test_defaults_are_those_of_the_parts_they_are_for():
    assert broker_terms(LiveSettings()) == LiveTerms()
    own, feed = FeedTerms(), feed_terms(LiveSettings())
    assert (feed.stale_ns, feed.retry_ns, feed.tries, feed.answer_ns, feed.hole_bars) == (
        own.stale_ns, own.retry_ns, own.tries, own.answer_ns, own.hole_bars,
    )  # fmt: skip
    assert RetryPolicy.of(LiveSettings()) == RetryPolicy()


def test_the_page_tells_every_field():
    page = (Path(__file__).resolve().parents[2] / "docs" / "live.md").read_text("utf-8")

    missing = [name for name in LIVE_FIELDS if f"`{name}`" not in page]
    assert missing == []
    assert all(name in page for name in GROUP_FIELDS)
