"""No order can leave a paper process: nothing in it knows a venue, a socket or another port.

Shown in a process of its own, in which a whole paper session is built and run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.paper.venue import PaperVenue
from core.errors import BrokerError
from live.outbox import LiveOutbox
from tests.brokers.paper.runs import gold, paper, walk

ROOT = Path(__file__).resolve().parents[3]

CLIENTS = {
    "httpx", "requests", "urllib3", "aiohttp", "websocket", "websockets", "socketio", "engineio",
    "httpcore", "kiteconnect", "upstox_client", "metaapi_cloud_sdk", "signalrcore", "twisted",
    "ctrader_open_api", "project_x_py", "SmartApi", "tradingapi_a", "apprise",
}  # fmt: skip
"""Clients of venues and of the web, and what they stand on."""
WAYS_OUT = re.compile(
    r"^\s*(import|from) (ssl|http|ftplib|smtplib|asyncio|urllib\.request|xmlrpc"
    rf"|{'|'.join(CLIENTS)})\b|socket\.(?!gethostname\b)\w+",
    re.MULTILINE,
)
"""What a source file that can send something holds; the machine's name may be asked."""

PROGRAM = """
import gc, json, socket, sys
opened, sockets = [], []
def spy(event, args):
    if event.startswith(("socket.connect", "socket.sendto", "socket.sendmsg", "urllib.Request")):
        opened.append([event, repr(args)])
    started = event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system")
    if started and args[0] != "uname":  # Python asks it what machine this is
        opened.append([event, repr(args)])
sys.addaudithook(spy)
from tests.brokers.paper.runs import gold, paper, walk
built = paper([(walk(1, count=200), gold(), {"seed": 1})])
built.cerebro.run()
from live.outbox import LiveOutbox
ports = [type(item._port) for item in gc.get_objects() if isinstance(item, LiveOutbox)]
holders = [
    type(item).__name__ for item in gc.get_objects()
    if not isinstance(item, type) and type(item).__module__.split(".")[0] in (
        "brokers", "live", "risk", "feeds") and hasattr(type(item), "submit")
    and hasattr(type(item), "close_position")
]
files = {name: getattr(module, "__file__", "") or "" for name, module in sys.modules.items()}
print(json.dumps({
    "opened": opened,
    "sockets": [repr(item) for item in gc.get_objects() if isinstance(item, socket.socket)],
    "modules": files,
    "ports": [f"{kind.__module__}.{kind.__name__}" for kind in ports],
    "holders": sorted(set(holders)),
    "trades": len(built.broker.ledger.trades),
}))
"""


@pytest.fixture(scope="module")
def process():
    """What a process holds that has run a paper session."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["trades"] > 0
    return found


def test_no_client_of_a_venue_or_of_a_socket_is_loaded(process):
    loaded = set(process["modules"])

    assert loaded & CLIENTS == set()


def test_of_the_venues_only_paper_is_loaded(process):
    folders = {
        path.name for path in (ROOT / "brokers").iterdir() if (path / "__init__.py").is_file()
    }
    loaded = {name.split(".")[1] for name in process["modules"] if name.startswith("brokers.")}

    assert loaded & folders == {"paper"}


def test_no_module_of_ours_that_is_loaded_can_send_anything(process):
    ours = [
        Path(path)
        for name, path in process["modules"].items()
        if path.startswith(str(ROOT)) and ".venv" not in path and not name.startswith("tests")
    ]
    wrong = {
        str(path.relative_to(ROOT)): found.group().strip()
        for path in ours
        if path.suffix == ".py"
        for found in WAYS_OUT.finditer(path.read_text(encoding="utf-8"))
    }

    assert len(ours) > 50
    assert wrong == {}


def test_no_socket_is_open_and_none_was_connected_nor_a_process_started(process):
    assert process["opened"] == []
    assert process["sockets"] == []


def test_the_only_port_there_is_is_the_paper_exchange(process):
    assert process["ports"] == ["brokers.paper.venue.PaperVenue"]
    assert process["holders"] == ["LiveOutbox", "PaperVenue"]  # the outbox hands on to the port


ELSEWHERE = "go to PaperVenue alone, not to OtherPort: nothing was sent"


class OtherPort(PaperVenue):
    """Something that could be anything."""


def test_the_outbox_of_a_paper_session_takes_no_other_port():
    venue = PaperVenue.__new__(OtherPort)

    with pytest.raises(BrokerError, match=ELSEWHERE):
        LiveOutbox(None, venue, only=PaperVenue)


def test_a_port_that_is_slipped_under_a_paper_session_gets_nothing():
    built = paper([(walk(1, count=50), gold(), {"seed": 1})])
    sent = []
    other = PaperVenue.__new__(OtherPort)
    OtherPort.submit = lambda self, request_id, order: sent.append(order)
    built.outbox._port = other

    with pytest.raises(BrokerError, match=ELSEWHERE):
        built.outbox.cancel("1", "", "plan0", "XAUUSD")

    assert sent == []
