"""Preflight: is the installation whole, and will a run find what it needs?"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

from core.errors import TolaError

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
    return [*checks, _samples(root / "data"), _settings(config), _disk(Path.cwd())]


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


def _settings(config: str) -> Check:
    from core.config import load

    if not Path(config).is_file():
        return Check(OK, config, "none (optional); make one: python run.py init")
    try:
        load(config)
    except TolaError as error:
        return Check(FAIL, config, str(error))
    return Check(OK, config, "valid")


def _disk(folder: Path) -> Check:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    return Check(OK if free_mb >= LEAST_FREE_MB else WARN, "disk", f"{free_mb:,} MB free")
