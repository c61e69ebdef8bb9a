"""What the last check of a file found, kept in the user's cache folder for `data list`."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from core.compile import user_cache_folder
from feeds.checking import FileCheck

logger = logging.getLogger(__name__)


def _entry(path: Path) -> Path:
    """Name a file as it stands: changed in any way, it counts as never checked."""
    stat = path.stat()
    words = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    name = hashlib.sha256(words.encode()).hexdigest()[:32]
    return user_cache_folder() / "checks" / f"{name}.json"


def remember(path: Path, found: FileCheck) -> None:
    """Keep how many findings of each severity a check gave; where that fails, nothing is kept."""
    try:
        entry = _entry(path)
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(json.dumps(found.totals()), encoding="utf-8")
    except OSError as cause:
        logger.debug("check not kept: %s", cause)


def last_check(path: Path) -> dict[str, int]:
    """Return how many findings of each severity the last check gave, nothing without one."""
    try:
        found = json.loads(_entry(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): int(count) for name, count in found.items()}
