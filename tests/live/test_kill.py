"""The kill switch: pressed by anyone, seen by all, ended by a typed name alone."""

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import ConfigError, TolaError
from live.kill import KillNote, KillSwitch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def switch(tmp_path):
    return KillSwitch(tmp_path / "KILL", "demo")


def other(tmp_path):
    """The same switch as another process, or a later session, sees it."""
    return KillSwitch(tmp_path / "KILL", "demo")


def test_pressed_it_is_seen_at_once_here_and_elsewhere(switch, tmp_path):
    before = switch.is_pressed, other(tmp_path).is_pressed

    switch.press("too many losses", "ann")

    assert before == (False, False)
    assert (switch.is_pressed, other(tmp_path).is_pressed) == (True, True)


def test_it_survives_the_process_that_pressed_it(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom live.kill import KillSwitch\n"
        "KillSwitch(Path(sys.argv[1]), 'demo').press('news', 'ann')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "KILL")], cwd=ROOT, check=True)

    note = other(tmp_path).note()

    assert other(tmp_path).is_pressed
    assert (note.reason, note.author) == ("news", "ann")
    assert note.time.endswith("Z")


def test_a_running_engine_sees_it_within_a_moment(switch, tmp_path):
    assert not switch.is_pressed

    other(tmp_path).press("from outside", "ann")
    at_once = switch.is_pressed
    time.sleep(0.3)

    assert (at_once, switch.is_pressed) == (False, True)


def test_an_empty_file_made_by_hand_presses_it(switch, tmp_path):
    (tmp_path / "KILL").touch()

    assert switch.is_pressed
    assert switch.note() == KillNote()


@pytest.mark.parametrize("content", ["{", "[]", '{"who": "me"}', "stop!"])
def test_whatever_is_in_the_file_it_counts(switch, tmp_path, content):
    (tmp_path / "KILL").write_text(content)

    assert switch.is_pressed
    assert switch.note() == KillNote()


def test_the_first_reason_stays(switch, tmp_path):
    switch.press("first", "ann")
    other(tmp_path).press("second", "bob")

    assert (switch.note().reason, switch.note().author) == ("first", "ann")


def test_without_an_author_the_systems_user_is_named(switch):
    switch.press("news")

    assert isinstance(switch.note().author, str)


@pytest.mark.parametrize("typed", ["", "Demo", "demo ", "yes", "nifty"])
def test_only_the_accounts_name_releases_it(switch, typed):
    switch.press("news", "ann")

    with pytest.raises(ConfigError, match="type the account's name: demo"):
        switch.release(typed)

    assert switch.is_pressed


def test_released_it_is_gone_at_once(switch, tmp_path):
    switch.press("news", "ann")

    was_pressed = switch.release("demo")

    assert was_pressed
    assert (switch.is_pressed, other(tmp_path).is_pressed) == (False, False)
    assert not switch.release("demo")


def test_a_switch_that_cannot_be_pressed_says_what_else_to_do(tmp_path):
    switch = KillSwitch(tmp_path / "away" / "KILL", "demo")

    with pytest.raises(TolaError, match="flatten at the venue"):
        switch.press("news", "ann")


def test_where_it_cannot_be_seen_what_was_last_seen_stays_true(switch, tmp_path, caplog):
    switch.press("news", "ann")
    blind = KillSwitch(_Away(), "demo")
    blind._pressed = True

    with caplog.at_level(logging.WARNING, logger="live"):
        first = blind.is_pressed
        blind._next_look = 0.0
        second = blind.is_pressed

    assert (first, second) == (True, True)
    assert len(caplog.records) == 1


class _Away:
    """The path of a drive that does not answer."""

    def lstat(self):
        raise OSError(5, "Input/output error")


def test_asking_on_every_cycle_costs_next_to_nothing(switch):
    began = time.perf_counter()

    for _ in range(100_000):
        assert not switch.is_pressed

    assert time.perf_counter() - began < 2.0


def test_the_file_is_json_for_other_programs(switch, tmp_path):
    switch.press("news", "ann")

    assert json.loads((tmp_path / "KILL").read_text()).keys() == {"reason", "author", "time"}
