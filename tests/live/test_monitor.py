"""The status document: stable, documented, whole whenever it is read, honest about its age."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from core.errors import TolaError
from core.log import forget_secrets, register_secrets
from live import monitor
from live.monitor import STALE_SECS, SessionState, StatusFile, read, to_document, write
from tests.live.status_sample import FULL, NOW, sample

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text("utf-8")
PARTS = {
    "day": monitor.DayStatus, "plans": monitor.PlanStatus, "positions": monitor.PositionStatus,
    "orders": monitor.OrderStatus, "feeds": monitor.FeedStatus,
    "last_signal": monitor.SignalStatus, "limits": monitor.LimitStatus,
    "blocks": monitor.BlockStatus,
    "requests": monitor.RequestStatus, "counts": monitor.CountStatus,
    "alerts": monitor.AlertStatus,
}  # fmt: skip


def names(record):
    return [one.name for one in fields(record)]


def documented(heading):
    """Return the fields in the first column of the table under a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `(\w+)`", section, flags=re.M)


def test_what_was_written_is_read_back(tmp_path):
    path, status = tmp_path / "status.json", sample()

    write(path, status)
    document = read(path)

    assert document.pop("stale") is False
    assert document.pop("stale_reason") == ""
    assert document == to_document(status)
    assert next(iter(document)) == "schema" and document["schema"] == 1


def test_times_are_iso_utc_and_what_is_unknown_is_null():
    document = to_document(sample(equity=float("nan"), last_signal=None))

    assert document["market_time"] == "2025-09-15T14:35:02Z"
    assert document["feeds"][0]["last_tick"] == "2025-09-15T14:35:02Z"
    assert document["last_signal"] is None
    assert to_document(sample(market_time=0))["market_time"] is None


def test_no_number_outside_json_is_written(tmp_path):
    path = tmp_path / "status.json"

    write(path, sample(equity=float("nan"), balance=float("inf")))

    document = read(path)
    assert (document["equity"], document["balance"]) == (None, None)


def test_every_part_of_the_status_is_a_frozen_record_of_the_schema():
    document = to_document(sample(blocks=(monitor.BlockStatus("paused"),)))

    assert set(document) == {"schema", *names(FULL)}
    for key, record in PARTS.items():
        part = document[key][0] if isinstance(document[key], list) else document[key]
        assert list(part) == names(record)
        assert is_dataclass(record) and record.__dataclass_params__.frozen


def test_the_page_documents_every_field_and_no_other():
    assert documented("Session") == ["schema", *names(FULL), "stale", "stale_reason"]
    for key, record in PARTS.items():
        assert documented(f"`{key}`") == names(record), key


def test_the_page_names_every_state():
    assert all(f"`{state}`" in PAGE for state in SessionState)


def test_the_example_of_the_page_has_the_schemas_form():
    example = json.loads(re.search(r"```json\n(.*?)```", PAGE, flags=re.S)[1])

    ours = json.loads(json.dumps(to_document(FULL)))
    assert shape(example) == shape({**ours, "stale": False, "stale_reason": ""})


def shape(value):
    """Return the form of a document: its keys, and lists by their first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key != "refused"}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_a_reader_never_sees_half_a_document(tmp_path):
    path = tmp_path / "status.json"
    write(path, FULL)
    stop = threading.Event()

    def keep_writing():
        while not stop.is_set():
            write(path, sample(alerts=FULL.alerts * 50))
            write(path, FULL)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    end = time.monotonic() + 0.5
    reads = 0
    while time.monotonic() < end:
        assert read(path)["account"] == "demo"
        reads += 1
    stop.set()
    writer.join()

    assert reads > 20


def test_a_session_whose_process_is_gone_is_stale(tmp_path):
    path = tmp_path / "status.json"
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    write(path, sample(pid=child.pid))

    assert read(path)["stale"] is True
    assert read(path)["stale_reason"] == f"process {child.pid} is gone"


def test_a_session_that_has_not_written_for_long_is_stale(tmp_path):
    path = tmp_path / "status.json"
    long_ago = time.time_ns() - int((STALE_SECS + 2) * 1e9)

    write(path, sample(wall_time=long_ago))

    assert read(path)["stale_reason"] == f"not written for {STALE_SECS + 2:.0f} s"


def test_of_a_session_on_another_computer_only_the_time_is_judged(tmp_path):
    path = tmp_path / "status.json"

    write(path, sample(host="elsewhere", pid=2**30))

    assert read(path)["stale"] is False


def test_it_says_who_writes_it_and_when():
    fresh = sample()

    assert fresh.pid == os.getpid()
    assert abs(monitor.Status("paper", "x", "a", SessionState.LIVE, "USD", NOW, NOW).wall_time
               - time.time_ns()) < 5e9  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no session has run here"),
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "not a session's status"),
        (b"{}", "not a session's status"),
        (b'{"schema": 2}', "use the newer one"),
    ],
)
def test_what_is_no_status_is_told_in_words(tmp_path, content, words):
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(TolaError, match=words):
        read(path)


def test_a_status_without_a_time_is_stale(tmp_path):
    path = tmp_path / "status.json"
    path.write_text('{"schema": 1}')

    assert read(path)["stale_reason"] == "it does not say when it was written"


def test_a_disk_that_is_full_disturbs_nobody_and_is_logged_once(tmp_path, caplog):
    status = StatusFile(tmp_path / "away" / "status.json")

    for _ in range(3):
        status.write(FULL)

    assert len(caplog.records) == 1


def test_secrets_in_what_a_venue_said_are_cut_out():
    register_secrets(["pl4nted-secret"])
    try:
        document = to_document(
            sample(
                exit_reason="refused for pl4nted-secret",
                alerts=(monitor.AlertStatus(NOW, "error", "login with pl4nted-secret failed"),),
            )
        )
    finally:
        forget_secrets()

    assert "pl4nted" not in json.dumps(document)


def test_making_and_writing_it_each_second_costs_little(tmp_path):
    path = tmp_path / "status.json"
    began = time.perf_counter()

    for _ in range(100):
        write(path, FULL)

    assert time.perf_counter() - began < 2.0
