"""The session's log file: every action and every request to the venue, secrets cut out."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.log import PACKAGES, RedactingFormatter

BYTES = 5_000_000
KEPT = 5


@contextmanager
def session_log(path: Path, level: str = "INFO") -> Iterator[None]:
    """Write our packages' log into a file (rotated) besides what goes to stderr.

    Where the file cannot be written the session goes on without it; stderr says so once.
    """
    try:
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", delay=False
        )
    except OSError as fault:
        logging.getLogger(__name__).warning("no log file path=%s error=%s", path, fault.strerror)
        yield
        return
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in PACKAGES}
    quiet = [(kept, kept.level) for kept in root.handlers]
    for kept, _ in quiet:
        kept.setLevel(max(kept.level, logging.WARNING))
    for name in PACKAGES:
        logging.getLogger(name).setLevel(level)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        for kept, old in quiet:
            kept.setLevel(old)
        for name, old in before.items():
            logging.getLogger(name).setLevel(old)
