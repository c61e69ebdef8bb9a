"""What a paper session needs compiled is there before it is live."""

import json
import subprocess
import sys

from tests.cli import market
from tests.live.sessions import ROOT

SCRIPT = """
import json, sys
from numba.core.dispatcher import Dispatcher
import gc
from live.session import Session
from tests.live.sessions import request_of

def forms():
    return {item.__qualname__: len(item.signatures) for item in gc.get_objects()
            if isinstance(item, Dispatcher) and item.__module__.startswith("core.matching")}

held = {}
begin = Session._begin
def begun(self, chain):
    begin(self, chain)
    held.update(forms())
Session._begin = begun
prices, strategy, folder = sys.argv[1:]
flags = {"instrument": "XAUUSD", "data": [prices], "timeframe": "15m", "tz": "UTC",
         "params": ["every=3", "points=5"], "risk": None}
result = Session(request_of(strategy, flags, folder)).run()
after = forms()
print(json.dumps({"trades": len(result.built.broker.ledger.trades), "known": len(held),
                  "new": sorted(name for name in after if after[name] != held.get(name))}))
"""


def test_no_fill_of_a_session_waits_for_the_compiler(tmp_path):
    prices = market.write(tmp_path / "XAUUSD_15m.csv", market.rows(120))
    strategy = f"{ROOT}/tests/live/plain.py:EveryBars"

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(prices), strategy, str(tmp_path / "account")],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip

    told = json.loads(done.stdout.splitlines()[-1])
    assert told["trades"] > 0
    assert told["known"] > 5
    assert told["new"] == []
