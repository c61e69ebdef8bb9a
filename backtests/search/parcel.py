"""A runner on its way to another process: packed once, unpacked where it runs."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

from backtests.search.runners import Runner
from backtests.usercode import load_strategy, split_file_name
from core.errors import ConfigError


@dataclass(frozen=True)
class Parcel:
    """A packed runner.

    strategy : the name of a user's strategy (`/path/file.py:Class`), "" for ours; the file is read
    where the parcel is opened, code itself does not travel. digest : sha256 of that file.
    """

    strategy: str
    digest: str
    content: bytes

    @property
    def key(self) -> str:
        """What tells it from other parcels."""
        return hashlib.sha256(self.content).hexdigest()

    def open(self) -> Runner:
        """Return the runner.

        Raises
        ------
        ConfigError : the strategy's file is not here, or another one.
        """
        if self.strategy:
            path = Path(split_file_name(self.strategy)[0])
            if file_digest(self.strategy) != self.digest:
                raise ConfigError(f"{path}: is not the file the search was started with; copy it")
            load_strategy(self.strategy)
        runner: Runner = pickle.loads(self.content)
        return runner


def pack(runner: Runner, strategy: str) -> Parcel:
    """Pack a runner. strategy : as `runners.strategy_file` tells it."""
    digest = file_digest(strategy) if strategy else ""
    return Parcel(strategy, digest, pickle.dumps(runner, pickle.HIGHEST_PROTOCOL))


def file_digest(strategy: str) -> str:
    """Return the sha256 of a user's strategy file.

    Raises
    ------
    ConfigError : the file is not there.
    """
    path = Path(split_file_name(strategy)[0])
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as cause:
        raise ConfigError(
            f"{path}: a worker cannot read the strategy's file there ({cause.strerror}); "
            "copy it to the same place"
        ) from cause
