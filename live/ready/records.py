"""What earlier commands left about a plan: its audit, its walk-forward, its verified sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from core.calendar import Calendar, day_number
from core.errors import TolaError
from core.results import RunFolder
from live.journal import SessionFacts, open_journal
from live.recovery import starts_of

AUDIT = "audit.json"
VERIFIED = "verified.json"
"""What `verify` leaves in a session's run folder."""
LEAST_SHARE = 0.5
"""Share of a trading day's hours that a session must have run for the day to count."""


def read_audit(runs: Path, plan_id: str) -> dict[str, Any] | None:
    """Return a plan's last audit, None without one that can be read."""
    return _read(runs / f"audit-{plan_id}" / AUDIT)


def newest_walk_forward(runs: Path, plan_id: str) -> tuple[str, dict[str, Any]] | None:
    """Return the run and the summary of a plan's newest walk-forward, None without one.

    Of the summary `kind` (or `mode`) "walkforward", `plan_id` and `out_of_sample` (net_profit,
    sharpe) are read, and `identity` where it is there.
    """
    found = None
    for folder in _numbered(runs):
        summary = _read(folder / "summary.json")
        if summary is not None and _is_walk_forward(summary, plan_id):
            found = (folder.name, summary)
    return found


def _is_walk_forward(summary: Mapping[str, Any], plan_id: str) -> bool:
    if "walkforward" not in (summary.get("kind"), summary.get("mode")):
        return False
    plans = summary.get("plans") or [{}]
    return plan_id in (summary.get("plan_id"), plans[0].get("plan_id"))


def _numbered(runs: Path) -> list[Path]:
    folders = [entry for entry in runs.glob("*") if entry.name.isdigit()]
    return sorted(folders, key=lambda entry: int(entry.name))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class SessionRecord:
    """A session's run folder.

    mode : paper, sandbox or live. verified : what `verify` said, None if it was not asked.
    spans : wall-clock times (ns UTC) in which it ran. days : the trading days it played.
    params : of the plan then. strategy : its name.
    """

    name: str
    mode: str
    verified: dict[str, Any] | None
    spans: tuple[tuple[int, int], ...]
    days: tuple[int, ...]
    strategy: str
    params: Mapping[str, Any]

    @property
    def is_verified(self) -> bool:
        """Whether `verify` found it identical."""
        return self.verified is not None and bool(self.verified.get("identical"))

    def days_lived(self, calendar: Calendar) -> set[int]:
        """Return the trading days of which it ran through LEAST_SHARE in their own time.

        A day that was replayed later, however fast or slow, is none of them.
        """
        found = set()
        for day in self.days:
            session = calendar.session_of(day)
            if session is None:
                continue
            ran = sum(
                max(min(stop, session.close) - max(start, session.open), 0)
                for start, stop in self.spans
            )
            if ran >= LEAST_SHARE * (session.close - session.open):
                found.add(day)
        return found


def sessions_of(runs: Path, plan_id: str) -> Iterator[SessionRecord]:
    """Yield the sessions that traded a plan, oldest first; what cannot be read is left out."""
    for path in _numbered(runs):
        document = _read(path / "run.json")
        facts = None if document is None else document.get("session")
        if document is None or facts is None:
            continue
        row = next((item for item in document["plans"] if item["plan_id"] == plan_id), None)
        if row is None:
            continue
        folder = RunFolder(path)
        days = _days(folder, str(document["accounts"][0]["account"]))
        yield SessionRecord(
            path.name, facts["mode"], _read(path / VERIFIED), _spans(facts), days,
            row["strategy"], row["params"],
        )  # fmt: skip


def _days(folder: RunFolder, account: str) -> tuple[int, ...]:
    path = folder.path / f"days-{account}.csv"
    if not path.is_file():
        return ()
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    return tuple(day_number(date.fromisoformat(row.split(",")[0])) for row in rows)


def _spans(facts: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return when a session and the starts it went on from ran, by its journal."""
    try:
        journal = open_journal(facts["journal"], facts["account"], read_only=True)
    except TolaError:
        return ()
    try:
        chain: list[SessionFacts] = starts_of(journal.sessions(), int(facts["session_id"]))
    except TolaError:
        return ()
    finally:
        journal.close()
    return tuple((item.began, item.ended) for item in chain if item.ended is not None)
