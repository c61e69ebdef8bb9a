"""An engine that hangs is flattened by somebody else."""

import json
import time

import pytest

from live.watchdog import Watchdog, rescue


def eventually(condition, within=5.0):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


@pytest.fixture
def told():
    return []


def watchdog(beat, act, tmp_path, told):
    return Watchdog(beat, act, tmp_path / "watchdog.jsonl", lambda *said: told.append(said), 0.2)


def test_an_engine_without_a_cycle_is_rescued_once_and_it_is_written_down(tmp_path, told):
    calls = []
    stuck = time.monotonic() - 10.0
    dog = watchdog(lambda: stuck, lambda: calls.append(1) or ["closed MGC"], tmp_path, told)

    dog.start()
    eventually(lambda: told)
    time.sleep(0.6)
    dog.stop()

    assert calls == [1]
    (record,) = map(json.loads, (tmp_path / "watchdog.jsonl").read_text().splitlines())
    assert record["did"] == ["closed MGC"]
    assert told[0][0] == "error"


def test_an_engine_that_beats_is_left_alone(tmp_path, told):
    dog = watchdog(time.monotonic, lambda: ["never"], tmp_path, told)

    dog.start()
    time.sleep(0.8)
    dog.stop()

    assert not dog.has_acted
    assert told == []


def test_a_process_that_stood_still_as_a_whole_has_no_engine_that_hangs(tmp_path, told):
    looks = []

    def steady():
        looks.append(1)
        return 100.0 + 0.2 * len(looks) + (3_600.0 if len(looks) > 2 else 0.0)

    def beat():  # stopped with the process, then beating on
        return 100.0 if len(looks) < 4 else 100.0 + 0.2 * len(looks) + 3_600.0

    note = tmp_path / "watchdog.jsonl"
    dog = Watchdog(beat, lambda: ["never"], note, lambda *said: told.append(said), steady=steady)

    dog.start()
    eventually(lambda: len(looks) > 4)
    dog.stop()

    assert not dog.has_acted


def test_after_standing_still_an_engine_that_hangs_is_rescued(tmp_path, told):
    looks = []

    def steady():
        looks.append(1)
        return 3_600.0 * (len(looks) > 2) + 3.0 * len(looks)

    note = tmp_path / "watchdog.jsonl"
    dog = Watchdog(
        lambda: 0.0,
        lambda: ["closed MGC"],
        note,
        lambda *said: told.append(said),
        6.0,
        steady=steady,
    )

    dog.start()
    eventually(lambda: told)
    dog.stop()

    assert dog.has_acted and len(looks) > 4


def test_a_rescue_that_fails_is_told_too(tmp_path, told):
    def act():
        raise OSError("no route to the venue")

    dog = watchdog(lambda: 0.0, act, tmp_path, told)
    dog.start()
    eventually(lambda: told)
    dog.stop()

    assert "no route to the venue" in told[0][1]


def test_a_rescue_cancels_first_and_closes_what_is_open():
    class Port:
        def __init__(self):
            self.asked = []

        def cancel(self, number, order_id, venue_order_id):
            self.asked.append(("cancel", order_id))

        def close_position(self, number, symbol, position_id):
            self.asked.append(("close", symbol, position_id))

    port = Port()

    done = rescue(port, [("MGC", "gold", True), ("GC", "other", False)], [("a1", "P1")])

    assert port.asked == [("cancel", "a1"), ("close", "MGC", "gold")]
    assert done == ["cancelled a1", "closed MGC of gold"]
