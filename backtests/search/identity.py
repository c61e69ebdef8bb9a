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
from core.calendar import day_date
from core.fact_tables import DatedFact, constant
from core.instruments import Instrument

_DIGITS = 16
_OF_MARKET = ("calendar", "quote_currency", "venue", "price_side", "proxy_for", "has_volume",
              "spread_by_hour")  # fmt: skip
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
        "facts": _facts(plan.instrument),
        "code": running.pop("Tola"),
        "libraries": running,
    }


def _facts(instrument: Instrument) -> dict[str, Any]:
    """Return an instrument's facts so that one that differs can be told."""
    told = {name: getattr(instrument, name) for name in _OF_MARKET}
    return {**told, **{name: _through_time(fact) for name, fact in instrument.table.items()}}


def _through_time(fact: DatedFact) -> float | list[str]:
    if fact == constant(fact.values[0]):
        return fact.values[0]
    rows = zip(fact.values, fact.since, fact.confirmed, strict=True)
    return [
        f"{value!r}{f' since {day_date(day)}' if day > 0 else ''}{'' if known else ', unconfirmed'}"
        for value, day, known in rows
    ]


def _columns(bars: Any) -> Iterator[bytes]:
    """Yield the columns of a record array; what lies between its fields is never the same."""
    for name in bars.dtype.names:
        yield np.ascontiguousarray(bars[name]).tobytes()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:_DIGITS]
