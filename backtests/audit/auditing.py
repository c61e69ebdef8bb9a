"""One audit from plan to findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backtests.audit import compare, source
from backtests.audit.compare import Parting
from backtests.audit.figures import begun_later, delay_words, figures_of
from backtests.audit.files import Opened
from backtests.audit.findings import Finding, without_repeats
from backtests.audit.late import one_bar_late
from backtests.audit.runs import Failure, Runs, Watched, short_name
from backtests.audit.watching import Decision
from backtests.loading import LoadedPlan
from backtests.request import AccountRequest
from backtests.verbs.progress import Progress
from core.config import Settings
from core.errors import DataError
from core.results import iso_time
from core.wording import plural

LEAST_BARS = 50
_FIRST_STEPS = 40
"""Decisions gone through from the first on, to find the bar at which a leak shows first."""


@dataclass
class Audit:
    """What an audit came to.

    Attributes
    ----------
    prefixes : bars at which the strategy had nothing but the bars up to them, and its readings,
        attributes and decisions were compared with the whole run's.
    readings : lines of indicators compared at each. decisions : orders, changes, cancels.
    cuts : START of the last bar of each file that was cut short.
    findings : what was found; none: clean. notes : what a reader should know besides.
    before, after : figures of the run and of the one that decides a bar late, None if it failed.
    warmup : see `figures.begun_later`; None where it could not be looked at.
    curves : equity of both runs (times ns UTC, in `currency`, the account's), for the report.
    """

    plan_id: str
    bars: int
    first: str
    last: str
    prefixes: int = 0
    readings: int = 0
    decisions: int = 0
    cuts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    delay: str = ""
    warmup: dict[str, Any] | None = None
    curves: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    currency: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def audit(
    account: AccountRequest,
    loaded: LoadedPlan,
    settings: Settings,
    progress: Progress,
    *,
    opened: Sequence[Opened] = (),
    cuts: int = 12,
    seed: int = 0,
) -> Audit:
    """Look for look-ahead in a plan.

    Parameters
    ----------
    opened : files that the user's own code opens, a list that grows while it runs
        (`files.opened_files`).
    cuts : how many files cut short are run.
    seed : of the places where they end.

    Raises
    ------
    StrategyError : the strategy raises in an ordinary backtest, too.
    DataError : too few bars to say anything.
    """
    count = len(loaded.series)
    if count < LEAST_BARS:
        raise DataError(
            f"{plural(count, 'bar')}, too few for an audit: expected {LEAST_BARS} or more"
        )
    runs = Runs(account, loaded, settings, progress)
    return _Auditor(runs, opened, cuts, seed).audit()


class _Auditor:
    def __init__(self, runs: Runs, opened: Sequence[Opened], cuts: int, seed: int) -> None:
        self.runs = runs
        self._opened = opened
        self._cuts = cuts
        self._random = np.random.default_rng(seed)
        starts = runs.bars["start"]
        self._done = Audit(
            runs.loaded.request.plan_id, len(starts), iso_time(starts[0]), iso_time(starts[-1]),
            currency=runs.account.currency,
        )  # fmt: skip

    def audit(self) -> Audit:
        """Make the runs and compare them."""
        done, runs = self._done, self.runs
        whole = runs.whole()
        self._whole = whole
        self._table = whole.observed.table()
        done.readings, done.decisions = len(self._table), len(whole.observed.decisions)
        stream = runs.bar_by_bar()
        done.prefixes = min(stream.observed.bars, whole.observed.bars)
        found = [*self._read_files(), *self._failed(whole, stream), *self._parted(stream)]
        if not found:
            found = list(self._cut_files())
        done.findings = without_repeats(found)
        if found and all(item.reading for item in found):
            self._note("no order or attribute of this run followed from what was found")
        if not done.decisions:
            self._note("it asked for no order: only its readings could be compared")
        if whole.run is not None:
            self._delay(whole)
            self._begin_later(whole)
        return done

    # -- files and errors ----------------------------------------------------------------------

    def _read_files(self) -> Iterator[Finding]:
        """Judge the files its own code opened: its prices are a finding, all else a note."""
        plan = self.runs.loaded.request.plan
        prices = {str(Path(path).resolve()) for path in (*plan.data, *plan.further.values())}
        for item in self._opened:
            name, place = Path(item.path).name, f"{short_name(item.file)}:{item.line}"
            if str(Path(item.path).resolve()) in prices:
                what = f"reads the price file {name} itself: it knows all its bars from the start"
                yield Finding(
                    "reads_file", self._done.first, what, short_name(item.file), item.line
                )
            else:
                self._note(f"{place} reads {name}: what stands in it is not judged")

    def _failed(self, whole: Watched, stream: Watched) -> Iterator[Finding]:
        """Judge a strategy that raises where it has no bars but past ones."""
        failure = stream.failure
        if failure is None and whole.failure is None:
            return
        if failure is None or (whole.failure is not None and whole.failure.bar <= failure.bar):
            assert whole.failure is not None
            yield from self._failed_at_the_end(whole.failure)
            return
        cut = self.runs.cut(failure.bar)
        if cut.failure is not None and cut.failure.bar == failure.bar:
            yield self._reads_ahead(cut.failure)
        else:
            yield from self._needs_all_bars(failure)

    def _failed_at_the_end(self, failure: Failure) -> Iterator[Finding]:
        """Tell an error of the strategy from a read beyond the end, wherever that is."""
        earlier = failure.bar // 2
        if failure.bar < len(self.runs.bars) - 1 or earlier < 1:
            raise failure.error
        cut = self.runs.cut(earlier)
        if cut.failure is None or cut.failure.bar != earlier:
            raise failure.error
        yield self._reads_ahead(cut.failure)

    def _reads_ahead(self, failure: Failure) -> Finding:
        what = f"reads a bar that is not there yet ({failure.text})"
        return self._finding("reads_ahead", failure.bar, what, failure.where)

    def _needs_all_bars(self, failure: Failure) -> Iterator[Finding]:
        """A strategy that works on all bars beforehand is judged by cut files alone."""
        place = "" if failure.where is None else f"{short_name(failure.where[0])}:"
        place += "" if failure.where is None else f"{failure.where[1]} "
        self._done.notes.append(
            f"{place}needs all bars beforehand (bar by bar: {failure.text}); it would not run "
            "live, and only cut files could judge it"
        )
        yield from ()

    # -- what parted ---------------------------------------------------------------------------

    def _parted(self, other: Watched) -> Iterator[Finding]:
        """Judge where a run that knows less parts from the whole one."""
        stop = min(other.observed.bars, self._whole.observed.bars)
        parted = self._partings(other, stop)
        cuts: dict[int, Watched] = {}
        for parting in sorted(parted, key=lambda item: item.bar)[:8]:
            bar = parting.bar
            if bar not in cuts:
                cuts[bar] = self.runs.cut(bar)
            yield self._judged(parting, cuts[bar])

    def _partings(self, other: Watched, stop: int) -> list[Parting]:
        mine, theirs = self._whole.observed, other.observed
        # Before its period the strategy is not called, and Backtrader's own lines hold anything.
        first = max(self.runs.period - 1, 0)
        found = compare.readings(self._table, theirs.table(), first, stop)
        found += compare.attributes(mine, theirs, stop)[:1]
        for parting in (
            compare.setups(mine, theirs, stop),
            compare.decisions(mine, theirs, stop),
        ):
            found += [] if parting is None else [parting]
        return found

    def _judged(self, parting: Parting, cut: Watched) -> Finding:
        """Say whether a file that ends with the bar changes it too: look-ahead, or two ways."""
        bar = parting.bar
        if cut.failure is not None and cut.failure.bar <= bar:
            return self._reads_ahead(cut.failure)
        is_reading = parting.name in self._table
        if not is_reading and not self._repeats:
            what = "does not repeat itself: two runs of one file differ (an unseeded random?)"
            return self._finding("not_repeatable", bar, what, self._where(parting))
        confirmed = [item for item in self._partings(cut, bar + 1) if item.name == parting.name]
        if not confirmed:
            return self._two_ways(parting)
        told = confirmed[0]
        if is_reading:
            what = (
                f"{parting.name} is {_text(told.one)} at a bar, and {_text(told.other)} if the "
                f"file ends there"
            )
            return self._finding("rewritten", bar, what, self._where(parting), parting)
        what = f"decides by later bars: {_decided(told)}"
        return self._finding("decision", bar, what, self._where(parting))

    @cached_property
    def _repeats(self) -> bool:
        """Whether the strategy does the same on the same file; else nothing can be compared."""
        one, other = self._whole.observed, self.runs.whole("once more").observed
        stop = len(self.runs.bars)
        return not (compare.attributes(one, other, stop) or compare.decisions(one, other, stop))

    def _two_ways(self, parting: Parting) -> Finding:
        name = f"the {parting.name}" if parting.name in ("decision", "setup") else parting.name
        what = (
            f"{name} is {_text(parting.one)} worked out over all bars, and "
            f"{_text(parting.other)} bar by bar, as in a live session"
        )
        return self._finding("two_ways", parting.bar, what, self._where(parting), parting)

    def _where(self, parting: Parting) -> tuple[str, int] | None:
        """Return the line of the strategy's own source that a parting comes from."""
        strategy = self.runs.loaded.request.strategy
        if parting.name in self._table:
            maker = self._whole.observed.makers.get(parting.name)
            return source.made_at(strategy, parting.name, maker)
        line = source.parting_line(self.runs, parting.bar)
        if line is None:
            made = next((d for d in (parting.one, parting.other) if isinstance(d, Decision)), None)
            line = None if made is None else made.where
        return line

    def _finding(
        self,
        kind: str,
        bar: int,
        what: str,
        where: tuple[str, int] | None,
        parting: Parting | None = None,
    ) -> Finding:
        file, line = ("", 0) if where is None else (short_name(where[0]), where[1])
        when = iso_time(self.runs.bars["start"][min(bar, len(self.runs.bars) - 1)])
        reading, bars = ("", 0) if parting is None else (parting.name, parting.bars)
        return Finding(kind, when, what, file, line, reading, bars)

    # -- files cut short -----------------------------------------------------------------------

    def _cut_files(self) -> Iterator[Finding]:
        """Run on files that end at decisions and anywhere; nothing up to their end may change."""
        places = self._places()
        for number, last in enumerate(places, start=1):
            cut = self.runs.cut(last, f"cut file {number} of {len(places)}")
            self._done.cuts.append(iso_time(self.runs.bars["start"][last]))
            if self._is_changed(cut, last):
                yield from self._first_change(last, cut)
                return

    def _places(self) -> list[int]:
        count = len(self.runs.bars)
        decided = self._decided_bars()
        half = min(self._cuts // 2, len(decided))
        chosen = self._random.choice(decided, half, replace=False) if half else np.zeros(0, int)
        others = self._random.integers(LEAST_BARS // 2, count - 1, self._cuts - half)
        return sorted({int(place) for place in (*chosen, *others)})

    def _decided_bars(self) -> list[int]:
        observed = self._whole.observed
        bars = {item.bar for item in observed.decisions} | {bar for bar, _ in observed.setups}
        return sorted(bar for bar in bars if 0 <= bar < len(self.runs.bars) - 1)

    def _is_changed(self, cut: Watched, last: int) -> bool:
        if cut.failure is not None:
            return True
        if self._partings(cut, last + 1):
            return True
        start = iso_time(self.runs.bars["start"][last])
        return bool(compare.trades(self._whole.trades, cut.trades, start))

    def _first_change(self, last: int, cut: Watched) -> Iterator[Finding]:
        """Find the first decision that a file ending with it changes; judge that one."""
        for bar in [bar for bar in self._decided_bars() if bar < last][:_FIRST_STEPS]:
            earlier = self.runs.cut(bar, "looking for the first bar")
            if self._is_changed(earlier, bar):
                last, cut = bar, earlier
                break
        if cut.failure is not None:
            yield self._reads_ahead(cut.failure)
            return
        parted = self._partings(cut, last + 1)
        for parting in sorted(parted, key=lambda item: item.bar)[:8]:
            yield self._judged(parting, self.runs.cut(parting.bar))
        if not parted:
            entry = compare.trades(
                self._whole.trades, cut.trades, iso_time(self.runs.bars["start"][last])
            )
            yield Finding("decision", entry, "a trade changes when the file ends after it")

    # -- a bar late, a later start -------------------------------------------------------------

    def _delay(self, whole: Watched) -> None:
        done = self._done
        done.before = figures_of(whole.run)
        done.curves["as tested"] = _curve(whole)
        late = self.runs.whole("a bar late", one_bar_late)
        if late.run is None:
            assert late.failure is not None
            self._note(f"a bar late the strategy raises: {late.failure.text}")
            return
        done.after = figures_of(late.run)
        done.delay = delay_words(done.before, done.after)
        done.curves["a bar late"] = _curve(late)

    def _begin_later(self, whole: Watched) -> None:
        done, count = self._done, len(self.runs.bars)
        warmup = int(getattr(self.runs.loaded.request.strategy, "warmup_bars", 0))
        room = count - warmup - LEAST_BARS
        if room < 2:
            self._note(f"too few bars to look at the warm-up of {plural(warmup, 'bar')}")
            return
        starts = sorted({int(x) for x in self._random.integers(1, min(room, count // 2) + 1, 2)})
        found = begun_later(self.runs, whole, starts)
        done.warmup = found
        if found["setups_differ"]:
            what = (
                f"where the data begins decides {plural(found['setups_differ'], 'setup')} after "
                f"the declared warm-up of {plural(found['declared'], 'bar')}"
            )
            done.findings.append(Finding("warmup", found["starts"][0], what))

    def _note(self, text: str) -> None:
        if text not in self._done.notes:
            self._done.notes.append(text)


def _curve(watched: Watched) -> tuple[Any, Any]:
    assert watched.run is not None
    return watched.run.broker.equity_curve  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    if value is None or isinstance(value, Decision):
        return "nothing" if value is None else value.words()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _decided(parting: Parting) -> str:
    """Return what a decision is with and without the bars that follow."""
    if parting.name.startswith("self."):
        return (
            f"{parting.name} is {_text(parting.one)}, and {_text(parting.other)} if the file "
            "ends at this bar"
        )
    if parting.name == "setup":
        return "a setup is another one if the file ends at this bar"
    return f"{_text(parting.one)}, and {_text(parting.other)} if the file ends at this bar"
