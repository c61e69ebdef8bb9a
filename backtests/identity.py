"""What a plan is, in short: so that a later command can tell whether a result is still about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backtests.request import PlanRequest
from backtests.results.summary import plain_params
from backtests.store import code_version
from backtests.usercode import is_file_name, split_file_name

_WORDS = {
    "strategy": "the strategy",
    "source_sha256": "the strategy's file",
    "instrument": "the instrument",
    "instrument_set": "facts of the instrument",
    "timeframe": "the timeframe",
    "params": "a parameter",
    "data": "the prices",
    "further": "a further series",
    "from": "the first day",
    "to": "the last day",
    "code_version": "the code",
}


def identity_of(asked: PlanRequest) -> dict[str, Any]:
    """Return strategy, parameters, hashes of the price files and the version of the code.

    Raises
    ------
    OSError : a file cannot be read.
    """
    plan = asked.plan
    source = split_file_name(plan.strategy)[0] if is_file_name(plan.strategy) else None
    return {
        "plan_id": asked.plan_id,
        "strategy": plan.strategy,
        "source_sha256": None if source is None else sha256_of(source),
        "instrument": asked.instrument.symbol,
        "instrument_set": {key: str(value) for key, value in plan.instrument_set.items()},
        "timeframe": plan.timeframe,
        "params": {name: _plain(value) for name, value in plain_params(asked.params).items()},
        "data": [sha256_of(path) for path in plan.data],
        "further": {name: sha256_of(path) for name, path in plan.further.items()},
        "from": None if plan.first is None else plan.first.isoformat(),
        "to": None if plan.last is None else plan.last.isoformat(),
        "code_version": code_version(),
    }


def _plain(value: Any) -> Any:
    """Return a parameter as JSON brings it back."""
    return list(value) if isinstance(value, list | tuple) else value


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def what_differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what is no longer as it was; parameters by name with both values."""
    found = []
    for name, words in _WORDS.items():
        one, other = before.get(name), now.get(name)
        if one == other:
            continue
        if name == "params" and isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [
                _changed(key, one.get(key), other.get(key))
                for key in sorted(one.keys() | other.keys())
                if one.get(key) != other.get(key)
            ]
        else:
            found.append(f"{words} changed")
    return found


def _changed(name: str, before: Any, now: Any) -> str:
    """Return how a parameter changed; a plain strategy's own default is not known here."""
    if before is None:
        return f"{name} is {now} now"
    return f"{name} is no longer {before}" if now is None else f"{name} was {before}, is {now}"
