"""Letters to a running session: how the command line's hands reach the engine.

A request is a file in the account's `commands` folder, an answer another beside it:

| File | Means |
| --- | --- |
| `ID.json` | sent; nobody has taken it |
| `ID.taken` | the engine carries it out, or died doing so |
| `ID.answer` | what came of it; whoever sent it reads it and takes it away |
| `ID.damaged` | could not be read; put aside, never acted on |

An ID begins with the time of sending (ns UTC, 20 digits), so names sort oldest first. A request
changes its name before anything is done about it, and a name can be changed by one alone: it is
carried out once or not at all.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConfigError, TolaError
from core.files import put_in_place, sync_folder
from core.log import redact
from core.results import json_text

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECS = 60.0
"""A request that no engine took for so long is answered `expired` and never acted on."""
KEPT_SECS = 3600.0
"""Answers that nobody fetches are removed after this."""
LARGEST_BYTES = 64 * 1024
_LOOK_SECS = 0.05
_POLL_SECS = 0.02
_SENT, _TAKEN, _ANSWER, _DAMAGED, _UNFINISHED = ".json", ".taken", ".answer", ".damaged", ".part"


class Unanswered(TolaError):
    """No answer came in time.

    was_taken : the engine has taken the request, so it may or may not be carried out. Otherwise
        it has been withdrawn: nothing will come of it.
    """

    def __init__(self, message: str, *, was_taken: bool) -> None:
        super().__init__(message)
        self.was_taken = was_taken


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of a session. sent : ns UTC of the sender's clock."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    author: str
    sent: int


class Mailbox:
    """One account's letters, for both ends.

    Parameters
    ----------
    folder : Path
        The account's `commands` folder.
    wall_clock : callable
        ns UTC now.
    """

    def __init__(self, folder: Path, wall_clock: Callable[[], int] = time.time_ns) -> None:
        self._folder = folder
        self._now = wall_clock
        self._next_look = 0.0

    # -- the sender's end --------------------------------------------------------------------

    def send(self, name: str, arguments: Mapping[str, Any], author: str) -> str:
        """Put a request into the box; return its id.

        Raises
        ------
        ConfigError : there is no such account here, or the request holds a secret.
        TolaError : the request cannot be written: a full disk, a folder that may not be written.
        """
        sent = self._now()
        request_id = f"{sent:020d}-{uuid.uuid4().hex[:12]}"
        body = {"name": name, "arguments": dict(arguments), "author": author, "sent": sent}
        text = json_text(body)
        if redact(text) != text:
            raise ConfigError(f"{name}: a secret cannot be sent to a session; set it in .env")
        try:
            self._write(request_id + _SENT, text)
        except FileNotFoundError as cause:
            raise ConfigError(
                f"{self._folder.as_posix()}: no request can be put there ({cause.strerror}): "
                "has this account run here?"
            ) from cause
        except OSError as cause:
            raise TolaError(
                f"{self._folder.as_posix()}: no request can be put there ({cause.strerror}): make "
                "room or allow it, then ask again"
            ) from cause
        return request_id

    def answer_of(self, request_id: str, timeout: float) -> dict[str, Any]:
        """Wait for the answer to a request and return it; it is removed.

        Raises
        ------
        Unanswered : none came within `timeout` seconds. A request nobody has taken by then is
            withdrawn.
        """
        end = time.monotonic() + timeout
        path = self._folder / (request_id + _ANSWER)
        while True:
            if path.exists() and (answer := _read_answer(path)) is not None:
                return answer
            if time.monotonic() >= end:
                break
            time.sleep(_POLL_SECS)
        if self._withdraw(request_id):
            raise Unanswered(
                "no session took the request, it is withdrawn and nothing was done: "
                "is one running? python run.py status",
                was_taken=False,
            )
        answer = _read_answer(path)  # it may have come just now
        if answer is not None:
            return answer
        raise Unanswered(
            f"the session took the request and has not answered within {timeout:g} s: what came "
            "of it is not known, look before you repeat it: python run.py status",
            was_taken=True,
        )

    def _withdraw(self, request_id: str) -> bool:
        """Take a request back; False where the engine has taken it."""
        try:
            (self._folder / (request_id + _SENT)).unlink()
        except OSError:
            return False
        return True

    # -- the engine's end --------------------------------------------------------------------

    def take(self) -> list[Request]:
        """Return the requests that have come, oldest first; cheap enough for every cycle.

        The folder is looked into every 50 ms at most. What is too old is answered `expired`.
        """
        now = time.monotonic()
        if now < self._next_look:
            return []
        self._next_look = now + _LOOK_SECS
        taken = []
        for name in self._names(_SENT):
            request = self._take(name)
            if request is None:
                continue
            age_secs = (self._now() - request.sent) / 1e9
            if age_secs > LONGEST_WAIT_SECS:
                text = f"sent {age_secs:.0f} s ago, when no session ran: send it again"
                self.answer(request, {"outcome": "expired", "text": text})
            else:
                taken.append(request)
        if taken:
            sync_folder(self._folder)
        return taken

    def answer(self, request: Request, document: Mapping[str, Any]) -> None:
        """Tell the sender what came of a request; the request is done with.

        Parameters
        ----------
        document : mapping
            `outcome` (done, refused, expired, unknown) and `text` for people, and what else there
            is to tell. Secrets are cut out.
        """
        try:
            self._write(request.id + _ANSWER, json_text({"id": request.id, **_clean(document)}))
            self._remove(request.id + _TAKEN)
        except OSError as fault:
            logger.warning("a request cannot be answered request=%s error=%s", request.id, fault)

    def interrupted(self) -> list[Request]:
        """Return what an earlier process took and did not answer: never to be carried out again.

        For the start of a session, which answers them. Old answers and remains are removed here.
        """
        self._sweep()
        found = []
        for name in self._names(_TAKEN):
            request_id = name.removesuffix(_TAKEN)
            if (self._folder / (request_id + _ANSWER)).exists():
                self._remove(name)
                continue
            request = self._read(name, request_id)
            if request is not None:
                found.append(request)
        return found

    def _take(self, name: str) -> Request | None:
        """Rename a request, then read it; None if it is not ours to act on."""
        request_id = name.removesuffix(_SENT)
        try:
            (self._folder / name).rename(self._folder / (request_id + _TAKEN))
        except OSError:  # withdrawn just now; on Windows: read by another program, seen again
            return None
        return self._read(request_id + _TAKEN, request_id)

    def _read(self, name: str, request_id: str) -> Request | None:
        """Return a request of a file; one that cannot be read is put aside."""
        path = self._folder / name
        try:
            if path.is_symlink() or not path.is_file():
                raise ValueError("not a file")
            if path.stat().st_size > LARGEST_BYTES:
                raise ValueError(f"larger than {LARGEST_BYTES} bytes")
            return _request(request_id, json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError) as fault:
            logger.warning("a request cannot be read and is put aside file=%s error=%s",
                           request_id + _DAMAGED, redact(str(fault)))  # fmt: skip
            with contextlib.suppress(OSError):
                path.rename(self._folder / (request_id + _DAMAGED))
            return None

    def _sweep(self) -> None:
        for ending in (_ANSWER, _UNFINISHED):
            for name in self._names(ending):
                with contextlib.suppress(OSError):
                    path = self._folder / name
                    if self._now() / 1e9 - path.stat().st_mtime > KEPT_SECS:
                        path.unlink()

    def _names(self, ending: str) -> Iterable[str]:
        try:
            with os.scandir(self._folder) as entries:
                return sorted(entry.name for entry in entries if entry.name.endswith(ending))
        except OSError:  # gone, or not made yet: there are no letters
            return ()

    def _write(self, name: str, text: str) -> None:
        fresh = self._folder / f"{uuid.uuid4().hex}{_UNFINISHED}"
        try:
            fresh.write_text(text, encoding="utf-8")
            put_in_place(fresh, self._folder / name)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()


def _request(request_id: str, body: Any) -> Request:
    if not isinstance(body, dict):
        raise ValueError("not an object")
    kinds = {"name": str, "arguments": dict, "author": str, "sent": int}
    for key, kind in kinds.items():
        if type(body.get(key)) is not kind:
            raise ValueError(f"{key}: expected {kind.__name__}")
    return Request(request_id, body["name"], body["arguments"], body["author"], body["sent"])


def _read_answer(path: Path) -> dict[str, Any] | None:
    """Return an answer and remove it; None while it is not there."""
    try:
        answer = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):
        path.unlink()
    return dict(answer)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
