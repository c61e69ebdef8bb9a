"""What a sandbox needs compiled is there before it listens."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import gc, json
from numba.core.dispatcher import Dispatcher
from core.orders import OrderKind, Side
from sandbox import Sandbox
from tests.sandbox.market import CALM, KEY, LOT, day

def forms():
    return {item.__qualname__: len(item.signatures) for item in gc.get_objects()
            if isinstance(item, Dispatcher) and item.__module__.startswith("core.matching")}

with Sandbox("kite", day([CALM] * 4)) as box:
    held = forms()
    box.play(2)
    bought = box.place(KEY, Side.BUY, LOT)
    box.place(KEY, Side.SELL, LOT, OrderKind.STOP, 24000.0)
    box.play(8)
    box.hand.close("XX0000")
    box.play(8)
after = forms()
print(json.dumps({"bought": bought.filled, "known": len(held),
                  "new": sorted(name for name in after if after[name] != held.get(name))}))
"""


def test_no_order_waits_for_the_compiler():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=True
    )

    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bought"] > 0
    assert told["known"] > 5
    assert told["new"] == []
