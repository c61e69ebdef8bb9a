"""A burst of calls over real sockets: within the venue's limits as it counts, orders first."""

from __future__ import annotations

import os

from live.bench.kite_burst import measure

PART = {"orders": 12, "histories": 15, "quotes": 4, "snapshots": 2}
WHOLE = {"orders": 100, "histories": 100, "quotes": 30, "snapshots": 18}
"""502 calls; TOLA_KITE_BURST=1 for them, a minute and more."""


def test_a_burst_of_mixed_calls_stays_within_the_limits_and_orders_overtake_history():
    sizes = WHOLE if os.environ.get("TOLA_KITE_BURST") else PART

    told = measure(**sizes)

    assert told["refused"] == 0
    assert told["highest"].keys() <= told["limits"].keys()
    assert all(most <= told["limits"][name] for name, most in told["highest"].items())
    assert told["requests"] > told["calls"] > 60
    assert told["not_accepted"] == 0
    assert told["overtaken"] > told["histories"] // 3
