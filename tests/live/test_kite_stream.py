"""Real days through Kite's binary stream: the bars are the file's, and stay so when it breaks.

`TOLA_KITE_CUTS=100` breaks the stream so often.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from live.build import SessionTerms
from tests.live.kite_market import KiteMarket
from tests.live.kite_sessions import at_sandbox, run_proved
from tests.live.sessions import ROOT, flags_of, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
CUTS = int(os.environ.get("TOLA_KITE_CUTS", "24"))
DAY = 375
PACKETS_A_MINUTE = 5
"""Four prices of a bar, and the clock at its END."""
SILENCES = max(1, CUTS // 25)
"""Of the breaks: streams that stand and say nothing. Each takes seconds to be noticed."""
TERMS = SessionTerms(history_bars=DAY)


@pytest.fixture
def asked(real_data, tmp_path):
    """Return what runs some real days in minutes, of which the first is history."""

    def make(first, last):
        flags = flags_of(real_data, "nifty", timeframe="1m", **{"from": first, "to": last})
        flags |= {"params": ["every=7", "points=12.0", "size=75"], "risk": None}
        return flags, request_of(STRATEGY, flags, tmp_path, terms=TERMS)

    return make


def bars_of_file(request):
    (plan,) = request.loaded
    return plan.series.bars


def assert_same(bars, own):
    assert len(bars) == len(own)
    for name in ("start", "end", "open", "high", "low", "close"):
        assert np.array_equal(bars[name], own[name]), name


def test_the_bars_of_a_day_built_of_packets_are_the_files(asked):
    flags, request = asked("2022-12-07", "2022-12-08")

    with at_sandbox(request, STRATEGY, flags, orders=False) as there:
        session = run_proved(there)

    (plan,) = session.result.built.plans
    own = bars_of_file(request)
    assert len(own) == 2 * DAY
    assert_same(plan.bars, own)
    assert session.result.built.engine.counts.ticks == DAY * PACKETS_A_MINUTE
    assert len(session.trades) > 10 and session.proof.findings == []


class Breaks:
    """Breaks a stream in one of its ways, lets the market go on unseen, and mends it."""

    def __init__(self, market, draw):
        self.market = market
        self.draw = draw

    def unseen(self):
        """Let some of the market pass that the session does not see."""
        packets = self.draw.choice((0, 1, 3, 9, 40))
        self.market.play_unseen(packets)

    def cut(self):
        """The socket breaks with a packet; a new one is there at once."""
        self.market.box.add_fault("cut", on="price")
        self.market.play_unseen(1)

    def refused(self):
        """The socket breaks, and no new one is let in for a while."""
        box = self.market.box
        box.add_fault("refuse", status=503)
        self.cut()
        self.market.lost()
        self.unseen()
        box.call(box.plan.clear)

    def silent(self):
        """The socket stands and nothing comes; no new one is let in before that is noticed."""
        box = self.market.box
        box.add_fault("half_open", on="*")
        box.add_fault("refuse", status=503)
        box.play(self.draw.choice((1, 9, 40)))
        self.market.lost()
        self.market.play_unseen(0)
        box.call(box.plan.clear)

    def token_dies(self):
        """The token dies, and somebody logs in after a while."""
        self.market.box.call(self.market.box.face.expire_tokens)
        self.market.lost()
        self.unseen()
        self.market.login()


def kinds_of_breaks(draw):
    """Return the ways of all the breaks, in a seeded order."""
    kinds = ["silent"] * SILENCES
    while len(kinds) < CUTS:
        kinds.append(draw.choice(("cut", "cut", "refused", "refused", "token_dies")))
    draw.shuffle(kinds)
    return kinds


@pytest.mark.parametrize("orders", [False, True], ids=["paper", "orders"])
def test_a_stream_cut_at_seeded_moments_loses_no_bar_and_trades_in_no_gap(asked, orders):
    _, request = asked("2022-12-07", "2022-12-09")
    draw = random.Random(5)
    gaps = []
    with KiteMarket(request, orders=orders, silent_secs=3.0, tokens_end=None) as market:
        breaks = Breaks(market, draw)
        for kind in kinds_of_breaks(draw):
            market.play(draw.randint(1, 2 * DAY * PACKETS_A_MINUTE // CUTS))
            count = market.connections
            gone = market.now
            getattr(breaks, kind)()
            market.until(lambda count=count: market.connections > count)
            market.rest()
            gaps.append((gone, market.now))
        while market.play(50):
            pass
        market.finish()
        (bars, _), entries = market.bars(), market.entries()

    assert_same(bars, bars_of_file(request))
    assert len(gaps) == CUTS and len(entries) > 10
    assert not any(late for _, late in entries)
    for gone, back in gaps:
        assert [sent for sent, _ in entries if gone < sent < back] == []
