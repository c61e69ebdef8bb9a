"""One session of one account, from the lock on its folder to the run folder it leaves.

It owns what has to do with the clock on the wall: hands that knock, the kill switch, the status
file, writing the journal at rest, the time a position may be without a stop. Whatever it decides it
says to the engine as a `Command`, so that the record holds it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from backtests.loading import LoadedPlan
from backtests.request import AccountRequest
from brokers.bracket_terms import bracket_terms
from brokers.live_terms import Foreign
from brokers.paper.ledger import PaperLedger
from brokers.reconcile import Difference
from core.compile import compile_watch
from core.errors import ConfigError, TolaError
from core.events import Clock, Command, Event, Link, LinkState, Snapshot, Ticks
from core.lockstep import LockStepClient
from core.schedule import FlatRule
from live.account_folder import AccountFolder
from live.build import BuiltSession, SessionTerms, build_on_market, build_paper
from live.clock_watch import ClockWatch, count_as_gap
from live.controls import Controls
from live.day_cycle import DayCycle, Due
from live.day_report import day_row, preflight
from live.desk import Desk
from live.end_signals import ending
from live.foreign import ForeignActs
from live.group_limits import GroupLimits
from live.group_watch import GroupWatch, group_switch
from live.halting import STRATEGY_ERROR
from live.journal import Journal, SessionFacts, open_journal
from live.kill import KillSwitch
from live.lock import AccountLock
from live.login_watch import LoginWatch
from live.mailbox import Mailbox
from live.market import Rest, VenueMarket
from live.monitor import SessionState, StatusFile, to_document
from live.outbox import Diverged
from live.recovery import Recovered, chain_of, recover
from live.rolling import Rolls
from live.scribe import Scribe
from live.session_log import session_log
from live.snapshots import Snapshots
from live.start_up import Remedy, StartUp
from live.status_of import status_of
from live.watchdog import HANGS_SECS, Watchdog, end_process, interrupt, rescue
from risk.memory import memory_of, remember

logger = logging.getLogger(__name__)

LOOK_SECS = 0.02
"""How often hands, the kill switch and open questions are looked at."""
STATUS_SECS = 1.0
END_SECS, SETTLE_SECS = 20.0, 10.0
"""How long an ending session may take to be flat; one that keeps its positions waits for what is
on its way."""
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class SessionRequest:
    """All that one session is made of.

    Attributes
    ----------
    account : the account with its plans. loaded : the plans' prices. flats : their flat times.
    terms : how it runs. folder : where it keeps what outlives it.
    journal_url : the journal's database; None: a file in the folder.
    at_end : keep or flatten what is open when it ends.
    seconds : how long it may run, None without bound.
    hangs_secs : how long the engine may be without a cycle.
    groups : limits over several accounts, by the group's name.
    remedy : what is done where venue, journal and strategy do not agree at the start.
    market : where prices come from; None: the plans' own are replayed, and filled on paper.
    log_level : of the session's log file.
    document : what is stored with it, to know later what it was.
    """

    account: AccountRequest
    loaded: Sequence[LoadedPlan]
    flats: Sequence[Sequence[FlatRule]]
    terms: SessionTerms
    folder: AccountFolder
    journal_url: str | None = None
    at_end: str = "flatten"
    seconds: float | None = None
    hangs_secs: float = HANGS_SECS
    groups: Mapping[str, GroupLimits] = field(default_factory=dict)
    remedy: Remedy = Remedy.NONE
    market: VenueMarket | None = None
    log_level: str = "INFO"
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class SessionResult:
    """What is left of a session. differences : what kept its entries off to the end."""

    built: BuiltSession
    facts: SessionFacts
    recovered: Recovered | None
    exit_reason: str
    missed: list[dict[str, Any]]
    failure: BaseException | None = None
    differences: Sequence[str] = ()


class Session:
    """Runs a session.

    Parameters
    ----------
    request : SessionRequest
    show : called with each new status, for a view.
    alert : called with (kind, text) for what a person should know.
    """

    def __init__(
        self,
        request: SessionRequest,
        show: Callable[[Any], None] = lambda status: None,
        alert: Callable[[str, str], None] = lambda kind, text: None,
    ) -> None:
        self.request = request
        self._show = show
        self._alert = alert
        self.folder = request.folder
        self.state = SessionState.STARTING
        self.started = time.time_ns()
        self.recovered: Recovered | None = None
        self._chain: Sequence[SessionFacts] = ()
        self._has_begun = False
        self.built: BuiltSession
        self.journal: Journal
        self._lock: AccountLock
        self.facts: SessionFacts
        self.live_from = 0
        self._kill = KillSwitch(self.folder.kill, self.folder.name)
        self._status = StatusFile(self.folder.status)
        self._next_look = self._next_status = 0.0
        self._began = 0.0
        self._end_by = 0.0
        self._ending = ""
        self._interrupted = False
        self._failure: BaseException | None = None
        self.beat = time.monotonic()
        self._flattened_for: set[str] = set()
        self._watchdog: Watchdog | None = None
        self._last_compiled: Callable[[], float] = lambda: 0.0
        self._days: DayCycle
        self.was_live = False
        self._scribe: Scribe
        self._login: LoginWatch
        self._steps: LockStepClient | None = None

    @property
    def _mode(self) -> str:
        return "paper" if self.request.market is None else self.request.market.mode

    @property
    def _plan_ids(self) -> list[str]:
        return [plan.plan_id for plan in self.request.account.plans]

    # -- from beginning to end ---------------------------------------------------------------

    def run(self) -> SessionResult:
        """Run to the end.

        Raises
        ------
        TolaError : the account is held, killed or cannot be read; the strategies cannot start.
        """
        self.folder.make()
        with AccountLock(self.folder, self._mode, self._plan_ids) as self._lock:
            self._refuse_if_killed()
            result = self._run_journaled()
            if isinstance(result.failure, Diverged) and self.request.remedy is not Remedy.NONE:
                # The record has been ended: what it left at the venue is taken up from there.
                anew = Session(self.request, self._show, self._alert)
                anew._lock = self._lock
                return anew._run_journaled()
            return result

    def _refuse_if_killed(self) -> None:
        name = self.folder.name
        switches = {f"account {name}": (self._kill, f"--account {name}")}
        for group, limits in self.request.groups.items():
            if name in limits.members:
                switch = group_switch(group, self._root)
                switches[f"group {group}"] = switch, f"--group {group}"
        for what, (switch, option) in switches.items():
            if switch.is_pressed:
                note = switch.note()
                why = ", ".join(filter(None, (note.reason or "no reason given", note.time)))
                raise TolaError(f"{what} is killed ({why}): python run.py release {option}")

    @property
    def _root(self) -> Path:
        """Folder of all accounts' folders."""
        return self.folder.path.parent

    def _run_journaled(self) -> SessionResult:
        url = self.request.journal_url or str(self.folder.journal)
        self.journal = open_journal(url, self.folder.name)
        try:
            return self._run_locked()
        finally:
            self._close_journal()

    def _run_locked(self) -> SessionResult:
        sessions = self.journal.sessions()
        self._chain = chain = chain_of(sessions)
        first = chain[0] if chain else None
        market = self.request.market
        fills_here = market is None or market.fills_on_paper
        numbers_from = self.journal.last_seq
        ledger = PaperLedger(self.folder.paper, numbers_from=numbers_from) if fills_here else None
        document = self._beginning(first, ledger)
        prefix = str(document["prefix"])
        terms = replace(self.request.terms, start=document["start"])
        account = replace(self.request.account, cash=float(document["cash"]))
        build = build_paper if market is None else partial(build_on_market, market=market)
        self.built = build(
            account,
            self.request.loaded,
            self.request.flats,
            terms,
            recorder=self.journal,
            journal=self.journal,
            ledger=ledger,
            order_prefix=prefix,
            ready=lambda: self._begin(chain),
        )
        document |= {
            "start": self.built.source.start,
            "bracket_terms": bracket_terms(self.built.port.capabilities),
            "continues": chain[-1].session_id if chain else None,
            "ticks": "path" if market is None and not terms.discrete else "trades",
        }
        venue = "paper" if market is None else market.venue
        self.facts = SessionFacts(self._mode, venue, self.folder.name, document)
        self.journal.begin(self.facts)
        self.facts = self.journal.sessions()[-1]
        self._join(chain)
        log = session_log(self.folder.log, self.request.log_level)
        with log, ending(self._interrupt), compile_watch() as self._last_compiled:
            logger.info("session began account=%s plans=%s", self.folder.name, self._plan_ids)
            try:
                self.built.cerebro.run()
            except TolaError as failure:
                self._failure = failure
            except (Exception, SystemExit) as failure:  # of a strategy that starts or ends
                self._failure = failure
            finally:
                if self._watchdog is not None:
                    self._watchdog.stop()
        return self._ended()

    def _beginning(self, first: SessionFacts | None, ledger: PaperLedger | None) -> dict[str, Any]:
        """Return what the record begins with: as it did, or where the account stands now.

        A new session of a known account goes on in its market time, with its balance (a venue's
        money is in the request) and with what the guard remembers of the trading day.
        """
        document = dict(self.request.document)
        if first is not None:
            names = ("prefix", "start", "cash", "guard")
            return document | {name: first.document[name] for name in names}
        known = None if ledger is None else ledger.load()
        return document | {
            "prefix": secrets.token_hex(3) + "-",
            "start": self.request.terms.start if known is None else int(known["now"]) or None,
            "cash": self.request.account.cash if known is None else float(known["balance"]),
            "guard": self.journal.state("guard") or {},
        }

    def _join(self, chain: Sequence[SessionFacts]) -> None:
        """Connect the session to the engine that was built."""
        engine, broker = self.built.engine, self.built.broker
        first = chain[0] if chain else self.facts
        booked = self.journal.executions() if chain else ()
        self._scribe = Scribe(
            self.built, self.journal, self.folder, self.facts, first.session_id,
            frozenset(fill.fill_id for fill in booked), self._alert,
        )  # fmt: skip
        self._login = LoginWatch(self.built.guard, self.command, self._alert)
        controls = Controls(self.built, self.end)
        self.controls = controls
        engine.on_command = controls.apply
        engine.on_cycle = self._housekeep
        engine.on_snapshot = self._hear_snapshot
        engine.on_failure = self._strategy_failed
        engine.on_event = self._note_event
        broker.on_fill = self._scribe.tell_fill
        broker.on_refused = self._scribe.tell_refused
        self._foreign = ForeignActs(broker, self.command)
        broker.on_other_hand = self._hear_hand
        begins = int(self.facts.document["start"]) + 1
        self._snapshots = Snapshots(self.built.port, lambda: broker.needs_snapshot, begins)
        is_timed = getattr(self.built.source, "is_real_time", False)
        most_skew = self.request.terms.feed.clock_error_ns / _SECOND_NS
        self._clock = ClockWatch(most_skew) if is_timed else None
        self._group = GroupWatch(
            self.request.groups, self.folder.name, self._root, self._own_document,
            self.command, lambda text: self._alert("lock", text),
            lambda: self.built.guard.context.day,
        )  # fmt: skip
        self._rolls = Rolls(
            self.built, self.request.terms.at_roll, self.command, lambda: controls.answer,
            lambda text: self._alert("roll", text),
        )  # fmt: skip
        self.start_up = StartUp(
            self.built, self._snapshots, self.command, lambda text: self._alert("error", text),
            self.request.remedy, self._foreign.forget,
        )  # fmt: skip
        self._days = DayCycle([plan.loaded.calendar for plan in self.built.plans])
        mail = Mailbox(self.folder.commands)
        self._desk = Desk(
            mail, self.built, controls, self.command, self._scribe.note, self.tell_status
        )
        self._began = time.monotonic()

    def _begin(self, chain: Sequence[SessionFacts]) -> None:
        """Go on from the record, connect, and compare with the venue before trading."""
        engine, port, source = self.built.engine, self.built.port, self.built.source
        now = source.start
        remember(self.built.guard, self.facts.document["guard"])
        if source.left == 0 and not chain:
            raise ConfigError(
                f"account {self.folder.name}: its market has reached the end of the recorded "
                "prices; begin a new account: --account NAME, or give further prices with --data"
            )
        if chain:
            self._refuse_other_brackets(chain)
            self.recovered = recover(self.built, self.journal, chain)
            engine.consume(Link(LinkState.LOST, reason="restart", ts_event=engine.now))
            now = max(engine.now, port.resume_time)
            source.skip_to(now)
        self.start_up.begin()
        if "stopping" in self.built.guard.blocks:
            self.command("unblock", {"rule": "stopping"})
        port.connect(now)
        engine.settle()
        engine.go_on()
        self._snapshots.ask()
        engine.settle()
        self.live_from = engine.now
        self.start_up.look()
        self.state, self._has_begun = SessionState.LIVE, True
        self._watchdog = self._watched()
        self._watchdog.start()

    def _refuse_other_brackets(self, chain: Sequence[SessionFacts]) -> None:
        """Refuse to go on with a record whose stops were kept otherwise."""
        name = "bracket_terms"
        now: Mapping[str, Any] = self.facts.document[name]
        before: Mapping[str, Any] = chain[0].document.get(name) or now
        changed = [key for key in now if before[key] != now[key]]
        if changed:
            were = ", ".join(f"{key} {before[key]}, now {now[key]}" for key in changed)
            raise Diverged(
                f"account {self.folder.name}: its record was made with stops and targets kept "
                f"otherwise ({were}): set the account's settings back, or begin a new record: "
                "--flatten closes what the old one left, --adopt takes it over as it is"
            )

    def _watched(self) -> Watchdog:
        """Return a watchdog over this thread's cycles."""
        engine_thread = threading.get_ident()
        broker, port = self.built.broker, self.built.port

        def act() -> list[str]:
            plans = [(p.symbol, p.plan_id, p.position_steps != 0) for p in broker.plans]
            orders = [
                (item.order_id, item.venue_order_id)
                for item in broker.tickets()
                if item.is_sent and not item.is_held
            ]
            return rescue(port, plans, orders)

        self.beat = time.monotonic()
        return Watchdog(
            lambda: max(self.beat, self._last_compiled()),
            act,
            self.folder.path / "watchdog.jsonl",
            self._alert,
            self.request.hangs_secs,
            wake=lambda: interrupt(engine_thread),
            give_up=end_process,
        )

    def _hear_snapshot(self, snapshot: Snapshot) -> None:
        found = self.built.broker.hear_snapshot(snapshot)
        if self.built.engine.replaying:
            return
        self._snapshots.hear(snapshot)
        self.start_up.hear(snapshot, found)
        for difference in found:
            self._scribe.note("difference", {"text": difference.describe()})
            if not difference.is_foreign:  # else it is told by `_hear_hand`
                self._alert("error", difference.describe())

    def _hear_hand(self, act: Foreign, what: Difference) -> None:
        """Take what another hand did on the account."""
        self._foreign.note(act, what)
        if not self.built.engine.replaying:
            self._alert("error", f"another hand: {what.describe()}")

    def _look_at_venue(self) -> None:
        """Ask for the venue's books where that is due, and act on what they told."""
        self._snapshots.look()
        self.built.engine.settle()
        self.start_up.look()
        if self.start_up.is_over:
            self._foreign.look()

    # -- while it runs -----------------------------------------------------------------------

    def command(self, name: str, arguments: Mapping[str, Any], author: str = "session") -> None:
        """Let a command be part of the sequence."""
        engine = self.built.engine
        engine.consume(Command(name, dict(arguments), author, ts_event=engine.now))

    def end(self, reason: str) -> None:
        """End: no further entry, flat where so asked, then stop."""
        if self._ending:
            return
        if self.built.engine.replaying:  # an earlier process has ended then, this one goes on
            self.built.guard.block("stopping", reason)
            return
        self._ending = reason
        self.state = SessionState.STOPPING
        self.built.guard.block("stopping", reason)
        self._end_by = time.monotonic() + END_SECS

    def _interrupt(self) -> bool:
        """Ask for the end in order; False where it was asked for before."""
        if self._interrupted:
            return False
        self._interrupted = True
        self.built.inbox.poke()
        return True

    def _is_time_up(self, now: float) -> bool:
        """Whether a session of a stated length has run it; a first run's compiling is no part."""
        length = self.request.seconds
        return length is not None and now >= max(self._began, self._last_compiled()) + length

    def _housekeep(self) -> None:
        """Look at what the clock brings; called on every cycle of the engine."""
        now = time.monotonic()
        self.beat = now
        if self._rolls.is_busy and self.start_up.is_over:
            self._rolls.look()
        if now < self._next_look and not self._interrupted:
            return
        self._next_look = now + LOOK_SECS
        self.built.engine.settle()  # what it decides it decides on all that has happened
        if self._interrupted and not self._ending:
            self.command("stop", {"reason": "interrupted"})
        if self._is_time_up(now) and not self._ending:
            self.command("stop", {"reason": "time is up"})
        self._keep_step()  # before the venue is asked: nothing is quiet while it answers
        self._look_at_venue()
        self._login.look()
        self._desk.look()
        self._group.look()
        killed_by = self._group.killed_by
        if (self._kill.is_pressed or killed_by) and not self._ending:
            self.state = SessionState.KILLED
            switch = self._kill if self._kill.is_pressed else group_switch(killed_by, self._root)
            note = switch.note()
            author = note.author or "session"
            self.command("flatten", {"reason": "killed", "why": note.reason}, author)
            self.command("stop", {"reason": "killed"}, author)
        self._check_protection()
        self._check_journal()
        self.was_live = self._scribe.tell_feeds()
        if self._ending:
            self._go_on_ending(now)
        if now >= self._next_status:
            self._next_status = now + STATUS_SECS
            self._check_lock()
            self._check_clock()
            self.tell_status()

    def _keep_step(self) -> None:
        """Join a market that waits for us, once all is connected and warmed up."""
        market, engine = self.request.market, self.built.engine
        if market is None or not market.lock_step or self._steps is not None:
            return
        rest = Rest(engine, self.built.port)
        if self.built.port.is_quiet and not len(engine.inbox) and not engine.nested:
            self._steps = LockStepClient(market.lock_step, rest, on_end=engine.inbox.poke)
            self._steps.start()

    def _check_protection(self) -> None:
        """Flatten a position that has been without a working stop for too long."""
        engine, broker = self.built.engine, self.built.broker
        limit = int(self.request.terms.unprotected_secs * _SECOND_NS)
        for plan in broker.plans:
            if plan.unprotected_since is None:
                self._flattened_for.discard(plan.plan_id)
        for plan in broker.check_protection(engine.now, limit):
            if plan.plan_id not in self._flattened_for:
                self._flattened_for.add(plan.plan_id)
                self._alert("unprotected", f"{plan.plan_id}: no working stop, flattening")
                self.command("flatten", {"plan": plan.plan_id, "reason": "unprotected"})

    def _check_lock(self) -> None:
        """Take no entry once another session could start on the account: its lock file is gone."""
        if not self._lock.is_held and "lock" not in self.built.guard.blocks:
            why = f"{self.folder.lock.as_posix()} was removed: another session could start"
            self._alert("error", why)
            self.command("block", {"rule": "lock", "detail": why})

    def _check_clock(self) -> None:
        """Let time that passed without us be a gap; tell of a clock that is off."""
        clock, engine = self._clock, self.built.engine
        if clock is None:
            return
        why, skew = clock.look(), clock.skew()
        if why:
            self._alert("gap", why)
            count_as_gap(engine, why, max(engine.now, self.built.source.market_time()))
        if skew:
            self._alert("error", skew)

    def _check_journal(self) -> None:
        """Write what waits; while that fails no entry is taken."""
        is_blocked = "journal" in self.built.guard.blocks
        trouble = self.journal.try_flush()
        if trouble is not None and not is_blocked:
            self._alert("error", str(trouble))
            self.command("block", {"rule": "journal", "detail": str(trouble)})
        elif trouble is None and is_blocked:
            self.command("unblock", {"rule": "journal"})

    def _go_on_ending(self, now: float) -> None:
        """Be flat if that was asked for, then stop."""
        broker, engine = self.built.broker, self.built.engine
        is_open = any(plan.position_steps for plan in broker.plans)
        wants_flat = self.request.at_end == "flatten" or self._ending == "killed"
        if wants_flat and "end" not in self._flattened_for:
            self._flattened_for.add("end")
            if is_open or broker.tickets():
                self.command("flatten", {"reason": "session_end"})
                return
        if wants_flat:
            done = not (is_open or broker.tickets())
        else:  # what is kept must stand as it is meant to: an entry just sent brings a stop
            done = broker.is_settled or now > self._end_by - END_SECS + SETTLE_SECS
        if done or now > self._end_by:
            kept = "kept open: " if is_open or broker.tickets() else ""
            engine.stop(kept + self._ending)

    def _strategy_failed(self, failure: BaseException) -> None:
        self._failure = failure
        self._alert("error", f"a strategy raised {type(failure).__name__}")
        self.end(STRATEGY_ERROR + type(failure).__name__)

    # -- the record for people ---------------------------------------------------------------

    def _note_event(self, event: Event) -> None:
        self._scribe.tell_guard()
        if isinstance(event, Clock):
            for due in self._days.look(event.ts_event):
                self._on_day(due)
        if self._clock is not None and isinstance(event, Ticks):
            self._clock.hear(event)
        if isinstance(event, Link) and not self.built.engine.replaying:
            self._login.hear(event)
        self._rolls.hear(event)
        if isinstance(event, Command):
            self._foreign.hear(event)
            self._group.hear(event)
            self._scribe.note(
                "command",
                {"name": event.name, "arguments": dict(event.arguments), "author": event.author},
            )

    def _on_day(self, due: Due) -> None:
        """Do what the market's day asks for; a record run through again has done it."""
        if self.built.engine.replaying:
            return
        if due.what == "preflight":
            self._scribe.tell_preflight(due.day, preflight(self))
        elif due.what == "close":
            self._scribe.tell_day(day_row(self, due.day))

    def missed_entries(self) -> list[dict[str, Any]]:
        """Return the setups that were due while prices were missing or the process was down."""
        found = []
        for plan in self.built.plans:
            for row in getattr(plan.strategy, "setups_log", ()):
                if row.reason == "warmup" and row.bar >= self.built.source.start:
                    found.append({"plan_id": plan.plan_id, "bar": row.bar, "side": row.side})
        return found

    def _own_document(self) -> Mapping[str, Any]:
        """Return this session's status as another process would read it."""
        return to_document(status_of(self)) | {"stale": False, "stale_reason": ""}

    def tell_status(self) -> None:
        """Write the status file and show it."""
        status = status_of(self)
        self._status.write(status)
        self._show(status)

    # -- the end -----------------------------------------------------------------------------

    def _ended(self) -> SessionResult:
        engine = self.built.engine
        reason = engine.exit_reason or self._ending or "failed"
        self.state = SessionState.ENDED
        if self._failure is None or hasattr(self.built, "engine"):
            self.tell_status()
        left = any(plan.position_steps for plan in self.built.broker.plans)
        if left and not reason.startswith("kept"):
            reason = f"kept open: {reason}"
        self._desk.close()
        self._end_record(reason)
        if self._steps is not None:
            self._steps.stop()
        self.built.port.disconnect()
        return SessionResult(
            self.built, self.facts, self.recovered, reason, self.missed_entries(), self._failure,
            self.start_up.standing,
        )  # fmt: skip

    def _end_record(self, reason: str) -> None:
        """Note the end; a record that could not be gone on from stays open, for a next try."""
        if self._chain and self._failure is not None and not self._has_begun:
            if not isinstance(self._failure, Diverged) or self.request.remedy is Remedy.NONE:
                return
            reason = "abandoned: run again, it differs"
        self.journal.save_state("guard", memory_of(self.built.guard))
        self.journal.end(reason)

    def _close_journal(self) -> None:
        trouble = self.journal.try_flush()
        if trouble is not None:
            logger.error("journal not written error=%s", trouble)
        self.journal.close(abandon=trouble is not None)
