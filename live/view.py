"""The session on a terminal: a panel that is drawn anew, or a line now and then for a pipe.

It is made from the status document alone, so it shows the same in the session's own process and
in another one (`status --watch`). PAPER, SANDBOX or LIVE stands in every line and in the panel's
frame.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from rich.box import HEAVY, ROUNDED
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from backtests.results.summary_text import money
from core.terminal import can_hold, make_writable, silence, wants_color
from live import view_text as words
from live.view_text import Document, clean, counted, number, span

EVERY_SECS = 60.0
"""A pipe gets a line so often when nothing happens."""
_SOONEST_SECS = 1.0
_REDRAW_SECS = 0.2
_MOST_ROWS = 5
_MODES = {"PAPER": "cyan", "SANDBOX": "magenta", "LIVE": "red"}
_BLOCKS, _PLAIN_BLOCKS = "━─", "#."
_MOST_ALERTS = 3
_NARROW = 60
_FRAME, _LABEL, _GAP = 4, 8, 2
"""Columns of the frame with its padding, of the labels, between two parts of a row."""


class View:
    """Shows status documents on a stream, whatever it is, and never raises for what becomes of it.

    Parameters
    ----------
    stream : text stream, optional
        stderr by default: stdout holds results alone.
    every_secs : float
        Without a terminal: a line so often, and upon any change (a second apart at least).
    env : mapping
        Environment variables that say something of terminals.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        every_secs: float = EVERY_SECS,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self._stream = stream or sys.stderr
        self._every_secs = every_secs
        self._next = self._next_regular = 0.0
        self._key: object = None
        self._is_open = True
        self._live: Live | None = None
        make_writable(self._stream)
        can_draw = self._stream.isatty() and env.get("TERM") != "dumb"
        self._console = _console(self._stream, env) if can_draw else None
        self._blocks = _BLOCKS if can_hold(self._stream, _BLOCKS) else _PLAIN_BLOCKS

    def show(self, document: Document) -> None:
        """Show a status, if it is time to; cheap to call often."""
        now = time.monotonic()
        if not self._is_open or now < self._next:
            return
        if self._console is None:
            self._tell(document, now)
            return
        self._next = now + _REDRAW_SECS
        console = self._console
        self._trying(lambda: self._draw(document, console))

    def say(self, text: str) -> None:
        """Write a line that stays, above the panel: what happened, beside how things stand."""
        console, text = self._console, clean(text)
        if console is None:
            self._trying(lambda: self._write(text))
        else:
            self._trying(lambda: console.print(Text(text)))

    def close(self, document: Document | None = None) -> None:
        """Show how things stand at last, and leave the terminal as it was."""
        self._next = 0.0
        if document is not None:
            self._key = None
            self.show(document)
        self._stop()
        self._is_open = False

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self) -> None:
        """Take the panel off: the cursor comes back, and what was diverted around the panel."""
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    def _draw(self, document: Document, console: Console) -> None:
        if self._live is None:
            self._live = Live(
                console=console,
                auto_refresh=False,
                redirect_stdout=sys.stdout.isatty(),  # results for a file or a pipe stay results
            )
            self._live.start()
        self._live.update(panel(document, console.width, self._blocks), refresh=True)

    def _tell(self, document: Document, now: float) -> None:
        key = words.change_key(document)
        if key == self._key and now < self._next_regular:
            return
        self._key = key
        self._next = now + _SOONEST_SECS
        self._next_regular = now + self._every_secs
        self._trying(lambda: self._write(words.line(document)))

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def _trying(self, act: Callable[[], object]) -> None:
        """Do something to the stream; one that fails (a reader gone, a hang-up) is left alone."""
        if not self._is_open:
            return
        try:
            act()
        except (OSError, ValueError):
            self._is_open = False
            self._stop()
            silence(self._stream)


class _Quiet(Console):
    """A console that does not end the program when nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def _console(stream: TextIO, env: Mapping[str, str]) -> Console:
    return _Quiet(
        file=stream,
        force_terminal=True,
        no_color=not wants_color(stream, env=env),
        markup=False,
        emoji=False,
        highlight=False,
    )


def panel(document: Document, columns: int, blocks: str = _BLOCKS) -> RenderableType:
    """Return the panel of a status for a terminal of so many columns.

    blocks : the two letters of a bar, full and empty.
    """
    mode = words.mode(document)
    color = _MODES[mode]
    sheet = _Sheet(document, columns, blocks)
    title = Text(f"{mode} {clean(words.subject(document))}", f"bold reverse {color}")
    account, time_there = document.get("account", ""), document.get("market_time")
    place = f"{account} at {document.get('venue', '')}" if columns >= _NARROW else f"{account}"
    foot = f"{mode} {place} {words.clock(document, time_there)}".rstrip()
    return Panel(
        sheet.table(),
        title=title,
        title_align="left",
        subtitle=Text(clean(foot), color),
        subtitle_align="right",
        border_style=color,
        box=HEAVY if mode == "LIVE" else ROUNDED,
        padding=(0, 1),
    )


class _Sheet:
    """The rows of the panel, most important first: a low terminal cuts off the last ones.

    A row is made of parts that are kept whole where they fit on a line.
    """

    def __init__(self, document: Document, columns: int, blocks: str) -> None:
        self._document = document
        self._currency = str(document.get("currency", ""))
        self._width = columns - _FRAME - _LABEL - 1
        self._bar_cells = 10 if columns < _NARROW else 20
        self._blocks = blocks
        self._grid = Table.grid(padding=(0, 1))
        self._grid.add_column(style="dim", no_wrap=True, width=_LABEL)
        self._grid.add_column(overflow="fold")

    def table(self) -> Table:
        """Return the filled table."""
        self._state()
        self._money()
        self._positions()
        self._orders()
        self._feeds()
        self._signal()
        self._limits()
        self._counts()
        self._alerts()
        return self._grid

    def _row(self, label: str, *parts: Text | str) -> None:
        """Add a row, its parts two spaces apart, on as many lines as they need."""
        row, used = Text(), 0
        for part in parts:
            part = part if isinstance(part, Text) else Text(clean(part))
            if used and used + _GAP + part.cell_len > self._width:
                row.append("\n")
                used = 0
            elif used:
                row.append(" " * _GAP)
                used += _GAP
            row.append_text(part)
            used += part.cell_len
        self._grid.add_row(label, row)

    def _state(self) -> None:
        remark = words.remark(self._document)
        if remark:
            self._row("state", Text(clean(remark), f"bold {_state_color(self._document)}"))

    def _money(self) -> None:
        day = self._document.get("day") or {}
        parts: list[Text | str] = [Text(words.day(self._document), _gain(day.get("pnl")))]
        limit, headroom = day.get("limit"), day.get("headroom")
        if limit and headroom is not None:
            parts += [self._bar(limit - headroom, limit), f"{self._whole(headroom)} left"]
        self._row("day", *parts)
        equity = words.amount(self._document.get("equity"), self._currency)
        balance = words.amount(self._document.get("balance"), self._currency)
        self._row("equity", Text(equity, "bold"), f"balance {balance}")

    def _whole(self, value: float) -> str:
        return money(value, self._currency).removeprefix("+")

    def _positions(self) -> None:
        positions = self._document.get("positions") or []
        if not positions:
            self._row("position", "flat")
        for place, one in enumerate(positions):
            self._position("" if place else "position", one)

    def _position(self, label: str, one: Document) -> None:
        head = Text(clean(f"{one['plan_id']} {one['symbol']} {words.size(one)}"), "bold")
        gain = _gain(one.get("open_pnl"))
        parts = [head]
        if one.get("open_pnl") is not None:
            parts.append(Text(money(one["open_pnl"], self._currency), f"bold {gain}"))
        if one.get("r_now") is not None:
            parts.append(Text(f"{one['r_now']:+.2f} R", f"bold {gain}"))
        self._row(label, *parts)
        prices = (("now", "price"), ("stop", "stop"), ("target", "target"))
        told = [f"{name} {number(one[key])}" for name, key in prices if one.get(key) is not None]
        safety = Text(words.protection(one), "green" if one.get("protected") else "bold red")
        self._row("", *told, safety)

    def _orders(self) -> None:
        orders = self._document.get("orders") or []
        for place, one in enumerate(orders[:_MOST_ROWS]):
            self._order("" if place else "orders", one)
        if len(orders) > _MOST_ROWS:
            self._row("", Text(f"and {len(orders) - _MOST_ROWS} more", "dim"))

    def _order(self, label: str, one: Document) -> None:
        at = f" @ {number(one['price'])}" if one.get("price") is not None else ""
        parts: list[Text | str] = [
            f"{one['side']} {one['kind']} {number(one['quantity'])} {one['symbol']}{at}"
        ]
        if one.get("filled"):
            parts.append(f"filled {number(one['filled'])}")
        age = f"{one['status']} for {span(one.get('age_secs') or 0.0)}"
        self._row(label, *parts, Text(clean(age), "dim"))

    def _feeds(self) -> None:
        for place, one in enumerate(self._document.get("feeds") or []):
            self._feed("" if place else "feed", one)

    def _feed(self, label: str, one: Document) -> None:
        state = str(one.get("state"))
        head = Text(clean(f"{one['symbol']} {one['timeframe']} "))
        head.append(clean(state), "green" if state == "live" else "bold yellow")
        parts: list[Text | str] = [head, number(one.get("last_price"))]
        if one.get("age_secs") is not None:
            parts.append(f"{span(one['age_secs'])} old")
        parts.append(Text(counted(one.get("bars") or 0, "bar"), "dim"))
        nouns = ("left_out", "late tick"), ("differing_bars", "differing bar"), ("holes", "hole")
        for key, noun in nouns:
            if one.get(key):
                parts.append(Text(counted(one[key], noun), "yellow"))
        self._row(label, *parts)

    def _signal(self) -> None:
        one = self._document.get("last_signal")
        if one:
            taken = Text("taken", "green")
            refused = Text(clean(f"not taken: {one.get('reason') or 'no reason told'}"), "yellow")
            what = f"{one['plan_id']} {one['side']} {one['pattern']}"
            outcome = taken if one.get("taken") else refused
            self._row("signal", f"{self._hour(one)} {what}", outcome)

    def _limits(self) -> None:
        limits = self._document.get("limits") or []
        widest = max((len(clean(one["name"])) for one in limits), default=0)
        for place, one in enumerate(limits):
            used, limit = one.get("used") or 0.0, one.get("limit") or 0.0
            name = f"{clean(one['name']):<{widest}}"
            told = self._of(used, limit, str(one.get("unit") or ""))
            self._row("" if place else "limits", name, self._bar(used, limit), told)
        requests = [one for one in self._document.get("requests") or [] if one.get("used")]
        if requests:
            windows = [f"{one['name']} {one['used']}/{one['count']}" for one in requests]
            self._row("requests", *windows)

    def _bar(self, used: float, limit: float) -> Text:
        share = min(max(used / limit, 0.0), 1.0) if limit > 0 else 0.0
        full = round(share * self._bar_cells)
        color = "red" if share >= 0.8 else "yellow" if share >= 0.5 else "green"
        row = Text().append(self._blocks[0] * full, color)
        return row.append(self._blocks[1] * (self._bar_cells - full), "dim")

    def _of(self, used: float, limit: float, unit: str) -> str:
        """Return `$120 of $800`, `2 of 5 trades`."""
        if unit == self._currency:
            return f"{self._whole(used)} of {self._whole(limit)}"
        return f"{number(used)} of {number(limit)} {unit}".rstrip()

    def _counts(self) -> None:
        found = self._document.get("counts") or {}
        parts = [counted(found.get(f"{noun}s") or 0, noun) for noun in ("bar", "tick", "trade")]
        refused = found.get("refused") or {}
        if refused:
            rules = ", ".join(f"{rule} {count}" for rule, count in refused.items())
            parts.append(f"refused {sum(refused.values())} ({rules})")
        rare = (("reconnects", "reconnects"), ("gaps_filled", "gaps filled"),
                ("missed_entries", "missed entries"))  # fmt: skip
        parts += [f"{name} {found[key]}" for key, name in rare if found.get(key)]
        self._row("counts", *parts)

    def _alerts(self) -> None:
        for place, one in enumerate((self._document.get("alerts") or [])[-_MOST_ALERTS:]):
            self._row("" if place else "alerts", f"{self._hour(one)} {one['kind']}: {one['text']}")

    def _hour(self, one: Document) -> str:
        return words.clock(self._document, one.get("time")).partition(" ")[0]


def _gain(value: float | None) -> str:
    """Return the colour of a profit or a loss; what rounds to nothing has none."""
    if value is None or abs(value) < 0.005:
        return "default"
    return "green" if value > 0 else "red"


def _state_color(document: Document) -> str:
    calm = ("starting", "warming up", "stopping", "ended")
    is_calm = document.get("state") in calm and not document.get("stale")
    return "cyan" if is_calm else "yellow" if document.get("state") == "paused" else "red"
