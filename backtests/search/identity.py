"""What a study's results hang on: the same identity, the same figures."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np

from backtests.request import BacktestRequest
from backtests.results.summary import plain_params
from backtests.search.cluster import versions
from backtests.search.parcel import file_digest
from backtests.search.runners import Runner, bars_of, strategy_file
from backtests.search.study import FORMAT

_DIGITS = 16
_RULES = (
    "fills", "intrabar", "limit_fill", "volume_share", "news_spread", "costs", "margin",
    "unconfirmed",
)  # fmt: skip


def identity_of(request: BacktestRequest, runner: Runner, engine: str) -> dict[str, Any]:
    """Return the identity of a plan's results, by the names of `study.IDENTITY`."""
    account, plan = request.accounts[0], request.plans[0]
    settings = request.settings
    source = strategy_file(request)
    running = versions()
    return {
        "format": FORMAT,
        "plan": plan.plan_id,
        "strategy": plan.strategy.__name__,
        "source": file_digest(source)[:_DIGITS] if source else "",
        "engine": engine,
        "instrument": {
            "symbol": plan.instrument.symbol,
            "timeframe": plan.plan.timeframe,
            "facts": _digest(repr(plan.instrument).encode()),
        },
        "data": _digest(*(column for bars in bars_of(runner) for column in _columns(bars))),
        "settings": plain_params(plan.params),
        "account": {
            "cash": account.cash,
            "currency": account.currency,
            "fx": _digest(pickle.dumps(plan.fx)),
        },
        "rules": {
            "limits": [repr(limits) for limits in account.limits],
            **{name: getattr(settings, name) for name in _RULES},
        },
        "code": running.pop("Tola"),
        "libraries": running,
    }


def _columns(bars: Any) -> Iterator[bytes]:
    """Yield the columns of a record array; what lies between its fields is never the same."""
    for name in bars.dtype.names:
        yield np.ascontiguousarray(bars[name]).tobytes()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:_DIGITS]
