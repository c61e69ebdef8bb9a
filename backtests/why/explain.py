"""`why`: one bar of a run explained, or a day's bars in short, from the run's own folder.

The machine is run again over the stored bars up to the bar asked for, so what is shown is what
it saw then; setups, orders, fills and locks are read from the run's tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backtests.results.funnel_text import biggest_drop, funnel_line
from backtests.verbs.commands import RUNS
from backtests.verbs.outcome import Outcome
from backtests.why.needs import setup_needs
from backtests.why.replay import Replay, open_replay
from backtests.why.text import bar_lines, day_lines
from backtests.why.there import Tables, There
from backtests.why.when import find_time, split_words
from core.calendar import day_date
from core.errors import ConfigError
from core.results import RunFolder, find_run, iso_time
from core.zones import NS_PER_DAY
from risk.news import events_of
from strategies.machine import Records
from strategies.sight import Moment, Sight, Zone
from strategies.terms import Terms

Found = dict[str, Any]


def why(words: list[str], plan_id: str | None) -> Outcome:
    """Explain a bar or a day of a run; without a TIME the funnel and the likeliest bar.

    Parameters
    ----------
    words : the command line's words: [RUN] [TIME].
    plan_id : which plan of a run of several; None takes the first.

    Raises
    ------
    ConfigError : no such run, plan or bar.
    """
    wanted, time = split_words(words)
    folder = find_run(wanted, RUNS)
    folder.check_trades("why")
    plan = _plan(folder, plan_id)
    replay = open_replay(folder, plan["plan_id"])
    if not len(replay.bars.records):
        raise ConfigError(f"{folder.path}: the run holds no bars of {plan['plan_id']}")
    tables = Tables(folder, plan["plan_id"], replay.bars)
    explained = _Explained(folder, plan, replay, tables)
    if time is None:
        return explained.funnel_and_bar()
    found = find_time(time, replay.bars)
    return explained.one_bar(found) if isinstance(found, int) else explained.one_day(found)


def _plan(folder: RunFolder, wanted: str | None) -> Mapping[str, Any]:
    plans: list[Mapping[str, Any]] = folder.summary["plans"]
    names = [str(plan["plan_id"]) for plan in plans]
    if wanted is None:
        return plans[0]
    if wanted not in names:
        raise ConfigError(f"--plan {wanted}: {folder.path} holds {', '.join(names)}")
    return plans[names.index(wanted)]


class _Explained:
    """One plan of one run, and the three answers about it."""

    def __init__(
        self, folder: RunFolder, plan: Mapping[str, Any], replay: Replay, tables: Tables
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._replay = replay
        self._tables = tables
        self._bars = replay.bars
        self._others = [
            item["plan_id"]
            for item in folder.summary["plans"]
            if item["plan_id"] != plan["plan_id"]
        ]

    # -- answers ----------------------------------------------------------------------------

    def one_bar(self, index: int) -> Outcome:
        """Explain a bar."""
        document = {**self._head(), "bar": self._bar(index), "differs": self._differs(index)}
        return Outcome(
            document, [*self._title(), *bar_lines(document["bar"]), *_notes(document)],
            self._command(f'"{self._bars.label(index)[:10]}"'),
        )  # fmt: skip

    def one_day(self, indices: Any) -> Outcome:
        """List a day's bars with what stopped each."""
        rows = [self._short(*look) for look in self._looks([int(index) for index in indices])]
        day = self._day_of(int(indices[0]))
        document = {
            **self._head(),
            "day": day,
            "bars": rows,
            "differs": self._differs(int(indices[-1])),
        }
        told = next((row for row in rows if row["setups"]), rows[len(rows) // 2])
        return Outcome(
            document,
            [*self._title(), f"trading day {day}", *day_lines(rows), *_notes(document)],
            self._command(f'"{told["time"]}"'),
        )

    def funnel_and_bar(self) -> Outcome:
        """Say where most ideas were lost, and explain the bar that tells most."""
        index, chosen = self._most_telling()
        bar = self._bar(index)
        document = {
            **self._head(),
            **self._funnel(),
            "chosen": chosen,
            "bar": bar,
            "differs": self._differs(index),
        }
        lines = self._title()
        if document["funnel_text"]:
            lines.append(document["funnel_text"])
        if document["funnel_drop"]:
            lines.append(document["funnel_drop"]["text"])
        if not document["funnel"]:
            lines.append("a strategy of your own has no funnel: shown are its orders and fills")
        lines += [f"shown is {chosen}", *bar_lines(bar), *_notes(document)]
        return Outcome(document, lines, self._command(f'"{self._bars.label(index)[:10]}"'))

    # -- parts ------------------------------------------------------------------------------

    def _day_of(self, index: int) -> str:
        return day_date(int(self._bars.records["day"][index])).isoformat()

    def _head(self) -> Found:
        return {
            "run": self._folder.path.as_posix(),
            "plan_id": self._plan["plan_id"],
            "strategy": self._plan["strategy"],
            "instrument": self._plan["instrument"],
            "timeframe": self._plan["timeframe"],
            "currency": self._plan["currency"],
            "zone": self._bars.zone,
        }

    def _title(self) -> list[str]:
        head = self._head()
        text = (
            f"{head['plan_id']}  {head['instrument']} {head['timeframe']}  run {head['run']}  "
            f"times in {head['zone']}"
        )
        others = f"  (also in this run: --plan {', '.join(self._others)})" if self._others else ""
        return [text + others]

    def _command(self, time: str) -> str:
        plan = f" --plan {self._plan['plan_id']}" if self._others else ""
        return f"python run.py why {self._folder.name} {time}{plan}"

    def _funnel(self) -> Found:
        funnel = self._plan.get("funnel") or {}
        rows = self._tables.setups
        reasons, cancels = (Counter(rows[name].dropna()) for name in ("reason", "cancel"))
        return {
            "funnel": funnel,
            "funnel_text": funnel_line(funnel, self._plan.get("refused") or {}),
            "funnel_drop": biggest_drop(funnel, self._plan["params"], reasons, cancels),
        }

    def _most_telling(self) -> tuple[int, str]:
        """Return the bar shown where none is named, and what it is."""
        setups, records = self._tables.setups, self._bars.records
        for name, told in (
            ("the last refused setup", setups["reason"].notna()),
            ("the last setup whose entry was withdrawn", setups["cancel"].notna()),
            ("the last setup", setups["bar"].notna()),
        ):
            if told.any():
                return int(np.searchsorted(records["start"], setups["bar"][told].iloc[-1])), name
        refused = self._tables.refused
        if len(refused):
            at = int(np.searchsorted(records["end"], refused[-1]))
            return min(at, len(records) - 1), "the last refused order"
        return len(records) - 1, "the last bar"

    def _differs(self, last: int) -> list[str]:
        """Return what is not as it was at the run, and whether the replay gives its setups."""
        differs = list(self._replay.differs)
        setups = self._tables.setups
        stored = setups[setups["bar"] <= int(self._bars.records["start"][last])]
        rows = zip(stored["bar"], stored["pattern"], stored["entry"], strict=True)
        found = self._replay.check_setups([(int(a), str(b), float(c)) for a, b, c in rows], last)
        return [*differs, f"the replay differs from the run: {found}"] if found else differs

    def _looks(
        self, indices: Sequence[int]
    ) -> list[tuple[int, Moment | None, Sight | None, Records | None]]:
        looks = [
            (moment.index, moment, sight, setups)
            for moment, sight, setups in self._replay.looks(indices)
        ]
        return looks or [(index, None, None, None) for index in indices]  # type: ignore[return-value]

    def _bar(self, index: int) -> Found:
        """Return all that is known of a bar."""
        _, moment, sight, setups = self._looks([index])[0]
        there = self._tables.at(index)
        record = self._bars.records[index]
        values = self._replay.values
        found: Found = {
            "time": self._bars.label(index),
            "start": iso_time(int(record["start"])),
            "end": iso_time(int(record["end"])),
            "end_time": f"{self._bars.local(int(record['end'])):%H:%M}",
            **{name: float(record[name]) for name in ("open", "high", "low", "close", "volume")},
            "spread": float(record["spread"]),
            "atr": None if moment is None else float(moment.facts["atr"]),
            **self._there(there),
            "setups": [self._setup(row, setups, index) for row in there.setups],
            "limits": {
                name: values.get(name)
                for name in ("max_trades_day", "max_losses_row", "max_spread_risk", "order_bars")
            },
            "rules": self._tables.rules,
            "news": self._news(int(record["end"])),
            **_seen(sight, self._bars, float(record["close"])),
        }
        for setup in found["setups"]:
            setup["needed"] = setup_needs(setup, found, values)
        return found

    def _there(self, there: There) -> Found:
        return {
            "orders": [_order(row, self._bars) for row in there.orders],
            "fills": [_fill(row) for row in there.fills],
            "position": None if there.position is None else self._position(there.position),
            "working": [_order(row, self._bars) for row in there.working],
            "entries_today": there.entries_today,
            "losses_row": there.losses_row,
            "locks": there.locks,
        }

    def _position(self, row: Mapping[str, Any]) -> Found:
        when = self._bars.local(int(row["entry_time"]))
        names = ("trade_id", "side", "quantity", "entry_price", "stop", "target")
        return {**{name: row.get(name) for name in names}, "since": f"{when:%Y-%m-%d %H:%M}"}

    def _setup(self, row: Mapping[str, Any], emitted: Records | None, index: int) -> Found:
        names = ("side", "entry", "stop", "target", "pattern", "reason", "cancel")
        found = {**{name: row[name] for name in names}, "taken": bool(row["taken"])}
        found["filled"] = self._filled(index) if found["taken"] else None
        found["cash_needed"], found["currency"] = None, self._plan["currency"]
        if row["reason"] == "size_zero" and emitted is not None:
            found["cash_needed"] = self._cash_needed(row, emitted, index)
        return found

    def _filled(self, index: int) -> Found | None:
        """Return when and where the entry sent at a bar's close was filled, None if it was not."""
        sent = [
            order["order_id"]
            for order in self._tables.at(index).orders
            if order["role"] == "entry" and order["state"] == "submitted"
        ]
        if not sent:
            return None
        last = self._tables.end_of(sent[0])
        if last["state"] != "filled":
            return None
        when = self._bars.local(int(last["time"]))
        return {"by": f"{when:%Y-%m-%d %H:%M}", "price": last["fill_price"]}

    def _cash_needed(self, row: Mapping[str, Any], emitted: Records, index: int) -> float | None:
        """Return the equity one lot of a setup would have taken; None without a known rate."""
        rate: float | None = 1.0
        if self._replay.instrument.quote_currency != self._plan["currency"]:
            rate = self._tables.rate
        if rate is None:
            return None
        terms = Terms(self._replay.instrument, rate, self._replay.values)
        setup = next((s for s in emitted if abs(float(s["entry"]) - row["entry"]) < 1e-6), None)
        return None if setup is None else terms.cash_needed(setup, self._bars.records[index])

    def _news(self, end: int) -> Found | None:
        """Return the nearest event of the instrument's currencies within a day of a bar's END."""
        events = events_of(None, self._replay.instrument.currencies)
        near = min(events, key=lambda event: abs(event.ts - end), default=None)
        if near is None or abs(near.ts - end) > NS_PER_DAY:
            return None
        return {
            "name": near.name,
            "currency": near.currency,
            "time": f"{self._bars.local(near.ts):%Y-%m-%d %H:%M}",
            "minutes": (near.ts - end) / 60e9,
        }

    def _short(
        self, index: int, moment: Moment | None, sight: Sight | None, setups: Records | None
    ) -> Found:
        """Return a bar of a day's list."""
        there = self._tables.at(index)
        stopped = "" if sight is None else sight.stopped
        if sight is None:
            stopped = "no order" if not (there.orders or there.fills) else ""
        return {
            "time": self._bars.label(index),
            "on_day": self._bars.label(index)[:10] == self._day_of(index),
            "close": float(self._bars.records["close"][index]),
            "stopped": stopped,
            "events": [] if sight is None else sight.events,
            "setups": [self._setup(row, setups, index) for row in there.setups],
            "fills": [_fill(row) for row in there.fills],
            "refused": [_order(row, self._bars) for row in there.orders if row["rule"]],
            "in_position": None if there.position is None else there.position["side"],
            "working": len(there.working),
            "locks": there.locks,
        }


def _order(row: Mapping[str, Any], bars: Any) -> Found:
    names = (
        "order_id", "role", "side", "kind", "quantity", "price", "state", "fill_price", "reason",
        "rule", "limit", "value",
    )  # fmt: skip
    return {name: row[name] for name in names}


def _fill(row: Mapping[str, Any]) -> Found:
    return {name: row[name] for name in ("trade_id", "side", "quantity", "price", "reason")}


def _seen(sight: Sight | None, bars: Any, close: float) -> Found:
    """Return a machine's view as plain data, levels and zones nearest to the close first."""
    if sight is None:
        return {"levels": [], "zones": [], "patterns": [], "filters": [], "events": [],
                "stopped": None}  # fmt: skip
    levels = sorted(sight.levels, key=lambda level: abs(level.price - close))
    zones = sorted(sight.zones, key=lambda zone: _distance(zone, close))
    return {
        "levels": [asdict(level) for level in levels],
        "zones": [{**asdict(zone), "born": bars.label(zone.born)} for zone in zones],
        "patterns": [asdict(pattern) for pattern in sight.patterns],
        "filters": [asdict(item) for item in sight.filters],
        "events": sight.events,
        "stopped": sight.stopped or None,
    }


def _distance(zone: Zone, close: float) -> float:
    return max(zone.bottom - close, close - zone.top, 0.0)


def _notes(document: Mapping[str, Any]) -> list[str]:
    return [f"note: {text}" for text in document["differs"]]
