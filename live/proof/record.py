"""A session's record, sorted by what a proof needs, and bars built again from its ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.request import AccountRequest
from core.bars import parse_timeframe
from core.calendar import get_calendar
from core.events import Answer, Bars, Clock, Command, Event, HistoryBars, Outcome, Ticks, Verb
from core.results import iso_time
from feeds.bar_builder import BarBuilder
from live.journal import Journal, SessionFacts
from live.stepped import Course

_REFUSED = (Verb.SUBMIT, Outcome.REFUSED)
_PRICES = ("open", "high", "low", "close")


@dataclass
class Record:
    """A session's sequence, sorted by what the proof needs.

    bars, late, asked : of each feed by its name in Cerebro; which came too late for an entry, and
    which from the history of the venue rather than from ticks. groups : number and END of each
    delivery of bars. ticks : by symbol, seqs : the number of each tick. commands : with theirs.
    refusals : why an order was not taken, by its id.
    """

    bars: dict[str, list[Any]] = field(default_factory=dict)
    late: dict[str, list[bool]] = field(default_factory=dict)
    asked: dict[str, list[bool]] = field(default_factory=dict)
    groups: list[tuple[int, int]] = field(default_factory=list)
    ticks: dict[str, list[Any]] = field(default_factory=dict)
    seqs: dict[str, list[Any]] = field(default_factory=dict)
    commands: list[tuple[int, Command]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    events: int = 0

    @property
    def course(self) -> Course:
        """The order in which it all came."""
        ticks, seqs = (
            {symbol: np.concatenate(parts) for symbol, parts in found.items()}
            for found in (self.ticks, self.seqs)
        )
        return Course(ticks, seqs, self.groups, self.commands)


def read_record(events: Iterator[tuple[int, Event]]) -> Record:
    """Sort a journal's events."""
    record = Record()
    answered: frozenset[int] = frozenset()
    for seq, event in events:
        record.events += 1
        if isinstance(event, HistoryBars):
            answered |= frozenset(event.bars["start"].tolist())
        elif isinstance(event, Ticks | Clock):
            answered = frozenset()
        if isinstance(event, Ticks):
            record.ticks.setdefault(event.symbol, []).append(event.ticks)
            record.seqs.setdefault(event.symbol, []).append(np.full(len(event.ticks), seq))
        elif isinstance(event, Bars):
            record.groups.append((seq, int(event.bars["end"][0])))
            for name, late, bar in zip(event.names, event.late, event.bars, strict=True):
                record.bars.setdefault(name, []).append(bar)
                record.late.setdefault(name, []).append(late)
                record.asked.setdefault(name, []).append(int(bar["start"]) in answered)
        elif isinstance(event, Command):
            record.commands.append((seq, event))
        elif isinstance(event, Answer) and (event.verb, event.outcome) == _REFUSED:
            record.refusals[event.order_id] = event.reason
    return record


@dataclass(frozen=True)
class Finding:
    """One difference: which bar (START, ISO 8601; "" for none), of which plan, and what."""

    bar: str
    plan_id: str
    what: str

    def describe(self) -> str:
        """Return it in one line."""
        where = " ".join(part for part in (self.plan_id, self.bar) if part)
        return f"{where}: {self.what}"


def end_of(journal: Journal, last: SessionFacts) -> int:
    """Return the number of the last event of a start."""
    later = [item.first_seq for item in journal.sessions() if item.session_id > last.session_id]
    return min(later) - 1 if later else journal.last_seq


def built_again(
    record: Record, account: AccountRequest, calendar_file: str | None
) -> Iterator[Finding]:
    """Build each plan's bars from the recorded ticks and compare them with those delivered."""
    for plan in account.plans:
        told = record.bars.get(plan.plan_id)
        parts = record.ticks.get(plan.instrument.symbol)
        if not told or not parts:
            continue
        calendar = get_calendar(plan.instrument.calendar, calendar_file)
        step = parse_timeframe(plan.plan.timeframe)
        ticks = np.concatenate(parts)
        built = _built(ticks, np.concatenate(record.seqs[plan.instrument.symbol]), record.groups,
                       BarBuilder(calendar, step))  # fmt: skip
        by_start = {int(bar["start"]): bar for bar in built}
        others = zip(record.late[plan.plan_id], record.asked[plan.plan_id], strict=True)
        for bar, (late, asked) in zip(told, others, strict=True):
            if late or asked:
                continue
            start = int(bar["start"])
            own = by_start.get(start)
            if own is None:
                if start >= int(ticks["ts_event"][0]):
                    yield Finding(iso_time(start), plan.plan_id, "its ticks are missing")
                continue
            words = [
                f"{name} {bar[name]:g} was delivered, its ticks make {own[name]:g}"
                for name in _PRICES
                if float(bar[name]) != float(own[name])
            ]
            if words:
                yield Finding(iso_time(start), plan.plan_id, ", ".join(words))


def _built(ticks: Any, seqs: Any, groups: Sequence[tuple[int, int]], builder: BarBuilder) -> Any:
    """Return the bars of ticks; what came for a bar that had been delivered is left out of it."""
    done, at = [], 0
    for seq, end in groups:
        before = int(np.searchsorted(seqs, seq))
        done += [builder.take(ticks[at:before]), builder.close(end)]
        at = before
    return np.concatenate([*done, builder.take(ticks[at:])])
