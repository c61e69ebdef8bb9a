"""Preflight: is the installation whole, and will a run find what it needs?"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import TolaError

if TYPE_CHECKING:
    from core.config import Config

OK, WARN, FAIL = "ok", "warn", "FAIL"
LEAST_FREE_MB = 500
CALENDARS = ("CMEGlobex_GC", "NSE")


@dataclass(frozen=True)
class Check:
    """One finding: its state (ok, warn, FAIL), what was looked at, what was seen."""

    state: str
    name: str
    text: str


def examine(root: Path, config: str) -> list[Check]:
    """Look at everything a backtest needs; nothing is written or mended.

    Parameters
    ----------
    root : Path
        The project's folder.
    config : str
        The settings file; that it is absent is no fault.
    """
    checks = [_python(), *_packages(root / "requirements.lock"), _cache(), *_calendars()]
    return [*checks, _samples(root / "data"), *_settings(config), _disk(Path.cwd())]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(OK if sys.version_info >= (3, 11) else FAIL, "python", version)


def _packages(lock: Path) -> Iterator[Check]:
    """Compare what is installed with the lock file, one line for all that agree."""
    pins = [line.split(";")[0].strip().split("==") for line in lock.read_text().splitlines()]
    agree = 0
    for name, wanted in (pin for pin in pins if len(pin) == 2):
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name != "colorama":
                yield Check(FAIL, name, f"not installed (locked {wanted}); run: run.py setup")
            continue
        if found == wanted:
            agree += 1
        else:
            yield Check(WARN, name, f"{found} installed, {wanted} locked; run: run.py setup")
    yield Check(OK, "packages", f"{agree} as locked")


def _cache() -> Check:
    from core.compile import CACHED, user_cache_folder

    if CACHED:
        return Check(OK, "compile cache", str(user_cache_folder()))
    return Check(WARN, "compile cache", "no folder can be written: each start compiles anew")


def _calendars() -> Iterator[Check]:
    from core.calendar import get_calendar

    today = date.today()
    for name in CALENDARS:
        missing = get_calendar(name).missing_between(today, today)
        text = f"{today.year} is missing: add it to data/calendar.toml" if missing else "known"
        yield Check(WARN if missing else OK, f"calendar {name} {today.year}", text)


def _samples(folder: Path) -> Check:
    found = [path for path in folder.glob("*") if path.name.endswith((".csv.gz", ".parquet"))]
    if not found:
        return Check(FAIL, "bundled prices", f"none in {folder}; is the clone complete?")
    return Check(OK, "bundled prices", f"{len(found)} files")


def _settings(config: str) -> Iterator[Check]:
    from core.config import load

    try:
        found = load(config)
    except TolaError as error:
        yield Check(FAIL, config, str(error))
        return
    if Path(config).is_file():
        yield Check(OK, config, "valid")
    else:
        yield Check(OK, config, "none (optional); make one: python run.py init")
    yield from _live(found)
    yield from _venues(found)
    yield from _groups(found)


def _live(config: Config) -> Iterator[Check]:
    """Tell what of [live] is not as it is by default, for all accounts and for each."""
    told = [
        f"{name.removeprefix('live.')} = {at.value}"
        for name, at in config.provenance.items()
        if name.startswith("live.") and at.source != "default"
    ]
    yield Check(OK, "[live]", ", ".join(told) or "all as by default")
    for account in config.accounts.values():
        if account.live:
            own = ", ".join(f"{name} = {value}" for name, value in account.live.items())
            yield Check(OK, f"[accounts.{account.name}]", own)


def _venues(config: Config) -> Iterator[Check]:
    """Tell what each venue lacks; it is a matter only where an account is there."""
    from brokers.registry import VENUES, check_venues

    def look_up(name: str) -> str | None:
        return config.credentials.get(name)

    for item in check_venues(look_up):
        text = item.venue.title if item.is_ready else f"not set up: {item.remedy}"
        yield Check(OK, f"venue {item.venue.name}", text)
    for account in config.accounts.values():
        if account.venue in VENUES:
            (item,) = check_venues(look_up, [account.venue], account.name)
            state = OK if item.is_ready else WARN
            text = f"{account.venue}, {account.environment}"
            yield Check(state, f"account {account.name}", f"{text}: {item.remedy or 'ready'}")
        elif account.venue != "backtest":
            known = ", ".join(VENUES)
            text = f"venue {account.venue} is not part of this version; there are: {known}"
            yield Check(WARN, f"account {account.name}", text)


def _groups(config: Config) -> Iterator[Check]:
    for group in config.groups.values():
        limits = {name: getattr(group, name) for name in ("daily_loss", "open_risk", "gold_ounces")}
        told = [f"{name} {value:g}" for name, value in limits.items() if value is not None]
        unknown = [name for name in group.members if name not in config.accounts]
        text = f"{', '.join(group.members)}: {', '.join(told) or 'no limit'} ({group.currency})"
        if unknown:
            text += f"; not in [accounts]: {', '.join(unknown)}"
        yield Check(WARN if unknown or not told else OK, f"group {group.name}", text)


def _disk(folder: Path) -> Check:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    return Check(OK if free_mb >= LEAST_FREE_MB else WARN, "disk", f"{free_mb:,} MB free")
