"""The session on a terminal, in a pipe, and where nobody reads any more."""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from live import view as view_module
from live import view_text
from live.monitor import (
    BlockStatus,
    CountStatus,
    DayStatus,
    FeedStatus,
    OrderStatus,
    PlanStatus,
    PositionStatus,
    SessionState,
    SignalStatus,
    to_document,
)
from live.view import View, panel
from tests.live.status_sample import FULL, NOW, SECOND, sample

ROOT = Path(__file__).resolve().parents[2]
UNPROTECTED = PositionStatus("gold", "MGC", "short", 3, 2412.4, 2413.0, -18.0, None, 2400.0)
GOLD_AND_NIFTY = (
    PlanStatus("gold", "gold_smc", "MGC", "15m"),
    PlanStatus("nifty", "nifty_smc", "NIFTY-FUT", "5m"),
)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Gone(io.StringIO):
    """A pipe whose reader has left, or a terminal that hung up."""

    def __init__(self, fault, terminal):
        super().__init__()
        self.fault, self.terminal, self.tries = fault, terminal, 0

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.tries += 1
        raise self.fault


def drawn(columns, blocks="━─", **changes):
    console = Console(width=columns, file=io.StringIO(), force_terminal=False)
    console.print(panel(to_document(sample(**changes)), columns, blocks))
    return console.file.getvalue()


def line(**changes):
    return view_text.line(to_document(sample(**changes)))


def test_the_line_of_a_session_as_the_readme_shows_it():
    assert line() == (
        "PAPER gold MGC | day -$120 of -$800 | long 3 @ 2412.4 stop 2408.1 "
        "(protected after 4 ms) | feed 0.2 s old | 09:35:02 Chicago"
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"mode": "live"}, "LIVE gold MGC | "),
        ({"mode": ""}, "LIVE gold MGC | "),
        ({"plans": GOLD_AND_NIFTY}, "PAPER gold, nifty | "),
        ({"plans": GOLD_AND_NIFTY * 2}, "PAPER 4 plans | "),
        ({"plans": ()}, "PAPER demo | "),
        ({"plans": GOLD_AND_NIFTY}, "| gold MGC long 3 @ 2412.4 stop"),
        ({"state": SessionState.WARMING_UP}, "| WARMING UP |"),
        ({"state": SessionState.LOCKED, "day": DayStatus(-805.0, locked_by="daily_loss")},
         "| LOCKED by daily_loss | day -$805 |"),
        ({"state": SessionState.ENDED, "exit_reason": "stopped"}, "| ENDED: stopped |"),
        ({"blocks": (BlockStatus("foreign", "sell 1 is not ours", "gold"),)},
         "| ENTRIES OFF: gold foreign (sell 1 is not ours) |"),
        ({"currency": "INR"}, "day -120 INR of -800 INR"),
        ({"day": DayStatus()}, "| day $0 |"),
        ({"positions": (), "orders": ()}, "| flat |"),
        ({"positions": ()}, "| flat, 2 orders |"),
        ({"positions": (UNPROTECTED,)}, "| short 3 @ 2412.4 (NO STOP) |"),
        ({"feeds": ()}, "| no feed |"),
        ({"feeds": (FeedStatus("MGC", "15m", "gap"),)}, "| feed MGC gap |"),
        ({"feeds": (FeedStatus("MGC", "15m", "live"),)}, "| feed without a price yet |"),
        ({"zone": "Asia/Kolkata"}, "| 20:05:02 Kolkata"),
        ({"zone": "Nowhere/Land"}, "| 2025-09-15T14:35:02Z"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_the_line_says_when(changes, part):
    assert part in line(**changes)


def test_a_stale_status_says_so_first():
    document = {**to_document(FULL), "stale": True, "stale_reason": "process 5 is gone"}

    assert "| STALE: process 5 is gone | day" in view_text.line(document)


@pytest.mark.parametrize(
    ("secs", "text"),
    [(0.004, "4 ms"), (0.0994, "99 ms"), (0.0995, "0.1 s"), (9.94, "9.9 s"), (9.95, "10 s"),
     (119, "119 s"), (180, "3 min"), (9000, "2.5 h")],
)  # fmt: skip
def test_spans_of_time_in_their_handiest_unit(secs, text):
    assert view_text.span(secs) == text


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120])
def test_the_panel_fits_the_terminal_and_leaves_nothing_out(columns):
    text = drawn(columns)

    assert {len(row) for row in text.splitlines()} == {columns}
    flowing = " ".join(re.sub("[│╭╮╰╯─━]", " ", text).split())
    for word in ("PAPER", "gold", "-$120", "-$800", "$680", "$99,880.00", "2412.4", "2408.1",
                 "+$18", "+0.14", "protected", "late", "daily_loss:", "10,245", "no_stop",
                 "3/10", "fill:"):  # fmt: skip
        assert word in flowing, word


@pytest.mark.parametrize("columns", [80, 120])
def test_parts_of_a_row_are_not_torn_apart(columns):
    text = drawn(columns)

    for part in ("protected after 4 ms", "1 differing bar", "refused 3 (daily_loss 2, no_stop 1)",
                 "sell stop 3 MGC @ 2408.1  working for 12 s"):  # fmt: skip
        assert part in text


def test_paper_and_live_stand_in_the_frame_and_differ_in_its_lines():
    paper, live = drawn(80).splitlines(), drawn(80, mode="live").splitlines()

    assert "PAPER" in paper[0] and "PAPER" in paper[-1]
    assert "LIVE" in live[0] and "LIVE" in live[-1]
    assert paper[0][0] != live[0][0]


def test_bars_show_how_much_of_a_limit_is_used():
    rows = [row for row in drawn(80, blocks="#.").splitlines() if " of 5 trades" in row]

    assert re.search(r"#{16}\.{4}  4 of 5 trades", rows[0])


def test_why_the_last_signal_was_not_taken_is_told():
    refused = drawn(120)
    taken = drawn(120, last_signal=SignalStatus(NOW, "gold", "long", "fvg", True))

    assert "09:30:00 gold short fvg  not taken: daily_loss: 240 against a limit of 200" in refused
    assert "09:35:02 gold long fvg  taken" in taken


def test_a_position_without_a_stop_is_shouted():
    assert "NO STOP" in drawn(80, positions=(UNPROTECTED,))


def test_of_many_orders_the_first_are_shown():
    one = OrderStatus("1", "gold", "MGC", "sell", "stop", 1, "working")

    text = drawn(80, orders=(one,) * 12)

    assert text.count("sell stop") == 5
    assert "and 7 more" in text


def test_a_session_that_has_just_begun_can_be_drawn():
    empty = {"equity": None, "balance": None, "positions": (), "orders": (), "feeds": (),
             "last_signal": None, "limits": (), "requests": (), "alerts": (), "plans": (),
             "counts": CountStatus(), "day": DayStatus(), "state": SessionState.STARTING,
             "market_time": 0}  # fmt: skip

    assert "STARTING" in drawn(80, **empty)
    assert line(**empty) == "PAPER demo | STARTING | day $0 | flat | no feed"


def test_what_a_venue_says_cannot_steer_the_terminal():
    evil = SignalStatus(NOW, "gold", "long", "fvg", False, "no\x1b[2Jclear\x07\x9b31m [bold]x")

    text = drawn(120, last_signal=evil)

    assert "\x1b" not in text and "\x07" not in text and "\x9b" not in text
    assert "[bold]x" in text


def test_a_pipe_gets_a_line_upon_a_change_and_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(view_module.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    view = View(stream, every_secs=60, env={})
    flat = sample(positions=(), orders=())

    for second, status in ((0, FULL), (2, FULL), (4, flat), (4.5, FULL), (6, FULL), (50, FULL),
                           (67, FULL)):  # fmt: skip
        now[0] = 100.0 + second
        view.show(to_document(status))

    rows = stream.getvalue().splitlines()
    assert [("flat" in row) for row in rows] == [False, True, False, False]
    assert all(row.startswith("PAPER gold MGC | ") for row in rows)
    assert "\x1b" not in stream.getvalue()


def test_a_price_alone_is_no_change():
    key = view_text.change_key(to_document(FULL))
    dearer = sample(feeds=(FeedStatus("MGC", "15m", "live", 2500.0, NOW, 0.1, 312),), equity=1.0)

    assert view_text.change_key(to_document(dearer)) == key
    assert view_text.change_key(to_document(sample(state=SessionState.GAP))) != key


def test_what_happened_is_said_between(monkeypatch):
    stream = io.StringIO()
    view = View(stream, env={})

    view.say("filled buy 3 MGC @ 2412.4\x1b[2J")
    view.close(to_document(FULL))

    assert stream.getvalue().splitlines()[0] == "filled buy 3 MGC @ 2412.4 [2J"
    assert stream.getvalue().splitlines()[1] == view_text.line(to_document(FULL))


def test_closed_it_says_no_more():
    stream = io.StringIO()
    view = View(stream, env={})

    view.close()
    view.show(to_document(FULL))
    view.say("late")

    assert stream.getvalue() == ""


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}], ids=["colours", "no colours"])
def test_a_terminal_gets_a_panel_drawn_over_itself(monkeypatch, env):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    stream = Terminal()
    monkeypatch.setattr(view_module, "_REDRAW_SECS", 0.0)

    with View(stream, env=env) as view:
        view.show(to_document(FULL))
        view.show(to_document(sample(positions=(UNPROTECTED,))))

    text = stream.getvalue()
    assert "NO STOP" in text
    assert "\x1b[1A" in text  # the cursor goes up to draw over the last panel
    assert text.rstrip("\n").endswith("\x1b[?25h")  # and is visible again in the end
    assert ("\x1b[36m" in text) is (env == {})


def test_a_dumb_terminal_gets_lines():
    stream = Terminal()
    view = View(stream, env={"TERM": "dumb"})

    view.show(to_document(FULL))

    assert stream.getvalue() == view_text.line(to_document(FULL)) + "\n"


def test_a_terminal_is_not_redrawn_more_often_than_eyes_can_follow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    with View(stream, env={}) as view:
        for _ in range(200):
            view.show(to_document(FULL))

    assert stream.getvalue().count("99,880") <= 3


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize(
    "fault",
    [BrokenPipeError(32, "Broken pipe"), OSError(5, "Input/output error"),
     ValueError("I/O operation on closed file")],
    ids=["reader gone", "hung up", "closed"],
)  # fmt: skip
def test_a_stream_that_fails_is_left_alone(fault, terminal):
    stream = Gone(fault, terminal)
    standard = sys.stdout, sys.stderr
    view = View(stream, env={})

    view.show(to_document(FULL))
    tries = stream.tries
    view.say("more")
    view.show(to_document(sample(positions=())))
    view.close(to_document(FULL))

    assert tries >= 1
    assert stream.tries <= tries + 1
    assert (sys.stdout, sys.stderr) == standard


@pytest.mark.skipif(os.name == "nt", reason="there is no pty on Windows")
def test_results_on_stdout_stay_there_while_the_panel_is_drawn_on_stderr():
    program = (
        "import os, sys\n"
        "from live.view import View\n"
        "from live.monitor import to_document\n"
        "from tests.live.status_sample import FULL\n"
        "with View() as view:\n"
        "    view.show(to_document(FULL))\n"
        "    print('result')\n"
    )
    ours, theirs = os.openpty()
    env = {**os.environ, "COLUMNS": "80", "LINES": "40", "TERM": "xterm-256color"}

    done = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=theirs
    )
    out, _ = done.communicate()
    os.close(theirs)
    time.sleep(0.05)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert out == b"result\n"
    assert "PAPER gold MGC" in shown
    assert "result" not in shown


def test_a_code_page_without_lines_gets_plain_letters():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    stream.isatty = lambda: True

    with View(stream, env={"NO_COLOR": "1"}) as view:
        view.show(to_document(FULL))
        stream.flush()

    text = raw.getvalue().decode("cp1252")
    assert "#" in text and "PAPER gold MGC" in text
    assert "\\u" not in text


def test_the_moment_of_a_signal_is_the_markets():
    document = to_document(
        sample(last_signal=SignalStatus(NOW - 5 * SECOND, "g", "long", "x", True))
    )

    assert view_text.clock(document, document["last_signal"]["time"]) == "09:34:57 Chicago"
