"""One study of odds: ruin, drawdown, account tests and stress, from a plan's trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backtests.odds import again
from backtests.odds.blocks import block_length, shuffled, stationary_days
from backtests.odds.chances import Chance, chance
from backtests.odds.play import FAILED, PASSED, UNFINISHED, Limits, Played, play
from backtests.odds.sample import Sample
from backtests.odds.source import Source
from backtests.request import BacktestRequest
from backtests.verbs.progress import Progress
from risk.settings import RiskSettings

Array = np.ndarray[Any, np.dtype[Any]]

OUTER, INNER = 200, 250
"""Samples drawn anew for the wider intervals, and paths on each."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_DAYS = 25_000_000
"""Days of all paths together; each takes some 40 bytes while they are drawn and played, which comes
to a gigabyte."""
SKIPPED, COSTS, TICKS = 0.10, 1.0, (1.0, 2.0)


@dataclass(frozen=True)
class Asked:
    """What a study is told.

    paths : how many. horizon : trading days of each. seed : of all that is drawn. ruin_pct :
    percent of the starting cash whose loss is ruin. block : mean block length in days, None: found
    from the data. perturbed : runs on perturbed prices. accounts : rules to test, by name.
    """

    paths: int = 10_000
    horizon: int = 250
    seed: int = 0
    ruin_pct: float = 20.0
    block: float | None = None
    perturbed: int = 100
    accounts: Mapping[str, Limits] = field(default_factory=dict)


@dataclass
class Study:
    """What a study came to; `document` is its plain data, `fans` its curves by name."""

    document: dict[str, Any]
    fans: dict[str, dict[str, Any]] = field(default_factory=dict)


def study(source: Source, asked: Asked, progress: Progress) -> Study:
    """Work out the odds of a plan's trades."""
    return _Odds(source, asked, progress).study()


class _Odds:
    def __init__(self, source: Source, asked: Asked, progress: Progress) -> None:
        self._source = source
        self._asked = asked
        self._progress = progress
        self._sample = source.sample
        self._block = asked.block or block_length(source.sample.daily)
        self._generator = np.random.default_rng(asked.seed)
        self._notes: list[str] = []
        self._drawn: dict[int, list[Array]] = {}

    def study(self) -> Study:
        """Draw paths, play them, stress them."""
        asked, sample = self._asked, self._sample
        self._progress.note("drawing paths")
        days = self._days(asked.paths, asked.horizon)
        base = play(sample, days, Limits(sample.cash), keep_equity=True)
        orders = self._orders()
        accounts = {
            name: self._account(name, limits, days) for name, limits in asked.accounts.items()
        }
        ruin, loss = self._ruin_and_loss(base)
        document = {
            "kind": "odds",
            "plan_id": self._source.plan_id,
            "run": self._source.name,
            "first": self._source.first,
            "last": self._source.last,
            "currency": sample.currency,
            "cash": sample.cash,
            "trades": len(sample),
            "days": len(sample.days),
            "paths": asked.paths,
            "horizon": asked.horizon,
            "seed": asked.seed,
            "block_length": self._block,
            "sizes": "follow equity" if sample.by_share else "as in the run",
            "ruin_pct": asked.ruin_pct,
            "ruin": ruin.as_dict(),
            "loss": loss.as_dict(),
            "return_pct": _quantiles(base.outcomes["equity"] / sample.cash * 100.0 - 100.0),
            "drawdown_pct": _quantiles(base.outcomes["drawdown"] * 100.0),
            "order": _order_document(orders),
            "accounts": accounts,
            "stress": self._stress(days, {"ruin": ruin, "loss": loss}, base, orders),
            "notes": self._notes,
        }
        fans = {"paths": _fan(base, sample.cash), "order": _fan(orders, sample.cash)}
        return Study(document, fans)

    # -- paths ---------------------------------------------------------------------------------

    def _days(self, paths: int, horizon: int) -> Array:
        count = len(self._sample.days)
        return stationary_days(count, horizon, paths, self._block, self._generator)

    def _orders(self) -> Played:
        """Play the run's own days with its trades in other orders."""
        sample = self._sample
        count = min(self._asked.paths, MOST_DAYS // len(sample.days))
        days = np.broadcast_to(np.arange(len(sample.days), dtype=np.int32),
                               (count, len(sample.days)))  # fmt: skip
        order = shuffled(len(sample), count, self._generator)
        return play(sample, days, Limits(sample.cash), order=order, keep_equity=True)

    def _outer(self, limits: Limits, sample: Sample, shares: Sequence[Any]) -> list[list[float]]:
        """Return shares of paths over samples drawn anew from the days.

        shares : callables(Played) -> float.
        """
        found: list[list[float]] = [[] for _ in shares]
        for paths in self._other_histories(len(sample.days)):
            played = play(sample, paths, limits)
            for kept, share in zip(found, shares, strict=True):
                kept.append(share(played))
        return found

    def _other_histories(self, count: int) -> list[Array]:
        """Return INNER paths from each of OUTER histories drawn from `count` days."""
        if count not in self._drawn:
            generator = np.random.default_rng(self._asked.seed + 1)
            histories = stationary_days(count, count, OUTER, self._block, generator)
            self._drawn[count] = [
                history[stationary_days(count, self._asked.horizon, INNER, self._block, generator)]
                for history in histories
            ]
        return self._drawn[count]

    # -- figures -------------------------------------------------------------------------------

    def _is_ruined(self, played: Played) -> Array:
        floor = self._sample.cash * (1.0 - self._asked.ruin_pct / 100.0)
        ruined: Array = played.outcomes["lowest"] <= floor
        return ruined

    def _ruin_and_loss(self, base: Played) -> tuple[Chance, Chance]:
        cash, total = self._sample.cash, len(base.outcomes)
        limits = Limits(cash)
        shares = [lambda played: float(np.mean(self._is_ruined(played))),
                  lambda played: float(np.mean(played.outcomes["equity"] < cash))]  # fmt: skip
        ruined, lost = self._outer(limits, self._sample, shares)
        losses = int((base.outcomes["equity"] < cash).sum())
        return (
            chance(int(self._is_ruined(base).sum()), total, ruined),
            chance(losses, total, lost),
        )

    def _account(self, name: str, limits: Limits, days: Array) -> dict[str, Any]:
        """Return the odds under one account's rules."""
        self._progress.note(f"playing {name}")
        sample, notes = self._sample_for(limits)
        played = play(sample, days, limits)
        states, total = played.outcomes["state"], len(played.outcomes)
        settings = limits.settings or RiskSettings()
        names = {"passed": PASSED, "failed": FAILED, "unfinished": UNFINISHED}
        if settings.profit_target is None:
            names.pop("passed")
        if settings.trailing_drawdown is None:
            names.pop("failed")
        shares = [_share_of(code) for code in names.values()] + [_locked]
        outer = self._outer(limits, sample, shares)
        chances = {
            key: chance(int((states == code).sum()), total, told).as_dict()
            for (key, code), told in zip(names.items(), outer, strict=False)
        }
        has_daily = settings.daily_loss is not None or settings.daily_loss_pct is not None
        if has_daily:
            hits = int((played.outcomes["locked_days"] > 0).sum())
            chances["daily_limit"] = chance(hits, total, outer[-1]).as_dict()
        passed = played.outcomes["day"][states == PASSED]
        failed = played.outcomes["day"][states == FAILED]
        return {
            "cash": limits.cash,
            "rules": _rules_text(settings),
            "chances": chances,
            "days_to_pass": _median(passed),
            "days_to_fail": _median(failed),
            "trades": len(sample),
            "trades_per_path": float(played.outcomes["taken"].mean()),
            "refused_per_path": float(played.outcomes["refused"].mean()),
            "notes": notes,
        }

    def _sample_for(self, limits: Limits) -> tuple[Sample, list[str]]:
        """Return the trades an account's rules of time and size leave, or the run's own."""
        settings, source = limits.settings, self._source
        if settings is None:
            return self._sample, []
        if source.is_compiled:
            assert source.request is not None
            made = again.sample_under(_with_cash(source.request, limits.cash), settings)
            if made is not None:
                return made, []
            return self._sample, ["too few trades are left under its rules of time and size; the "
                                  "run's own were taken"]  # fmt: skip
        timed = [text for text, value in (("flat_by", settings.flat_by),
                                          ("window", settings.window),
                                          ("news", settings.news)) if value]  # fmt: skip
        if not timed:
            return self._sample, []
        return self._sample, [f"{', '.join(timed)}: not played, the trades are the run's own"]

    # -- stress --------------------------------------------------------------------------------

    def _stress(
        self, days: Array, known: Mapping[str, Chance], base: Played, orders: Played
    ) -> list[dict[str, Any]]:
        """Return how the figures change where things go worse than in the run.

        known : ruin and loss of the plain paths.
        """
        limits, seed = Limits(self._sample.cash), self._asked.seed
        plain = {name: found.as_dict() for name, found in known.items()}
        rows = [
            self._row("days drawn in blocks", base) | plain,
            self._row("trades in other orders", orders),
        ]
        told: list[tuple[str, dict[str, Any]]] = [
            (f"{SKIPPED:.0%} of fills missed".replace("%", " %"), {"missed": SKIPPED}),
            ("costs twice as high", {"more_costs": COSTS}),
            *((f"{ticks:g} tick{'s' * (ticks > 1)} more slippage a fill", {"more_ticks": ticks})
              for ticks in TICKS),
        ]  # fmt: skip
        for label, changed in told:
            rows.append(self._row(label, play(self._sample, days, limits, seed=seed, **changed)))
        rows += self._perturbed()
        return rows

    def _row(self, label: str, played: Played) -> dict[str, Any]:
        cash, out = self._sample.cash, played.outcomes
        ends = out["equity"] / cash * 100.0 - 100.0
        return {
            "what": label,
            "paths": len(out),
            "return_pct": _quantiles(ends),
            "drawdown_pct": _quantiles(out["drawdown"] * 100.0),
            "loss": chance(int((out["equity"] < cash).sum()), len(out)).as_dict(),
            "ruin": chance(int(self._is_ruined(played).sum()), len(out)).as_dict(),
        }

    def _perturbed(self) -> list[dict[str, Any]]:
        """Return the row of runs on perturbed prices, none where the plan cannot be run again."""
        source, count = self._source, self._asked.perturbed
        if count == 0:
            return []
        if source.request is None or not source.is_compiled:
            why = source.why_not or "its strategy is not compiled"
            self._notes.append(f"no runs on perturbed prices: {why}")
            return []
        if source.request.settings.intrabar == "drill":
            self._notes.append("no runs on perturbed prices: intrabar=drill walks a finer file")
            return []
        self._progress.begin("perturbed prices", count)
        runs = list(again.perturbed_runs(source.request, count, self._asked.seed,
                                         self._progress.update))  # fmt: skip
        cash = self._sample.cash
        ends = np.array([item["net_profit"] for item in runs]) / cash * 100.0
        depths = np.array([item["max_drawdown_pct"] for item in runs])
        ruined = int((depths >= self._asked.ruin_pct).sum())
        return [{
            "what": f"prices moved by {again.NOISE:g} of a bar's usual range, the history again",
            "paths": count,
            "return_pct": _quantiles(ends),
            "drawdown_pct": _quantiles(depths),
            "loss": chance(int((ends < 0.0).sum()), count).as_dict(),
            "ruin": chance(ruined, count).as_dict(),
            "trades": _quantiles(np.array([item["trades"] for item in runs], float)),
        }]  # fmt: skip


def _share_of(code: int) -> Any:
    return lambda played: float(np.mean(played.outcomes["state"] == code))


def _locked(played: Played) -> float:
    return float(np.mean(played.outcomes["locked_days"] > 0))


def _with_cash(request: BacktestRequest, cash: float) -> BacktestRequest:
    account = replace(request.accounts[0], cash=cash)
    return replace(request, accounts=(account,))


def _quantiles(values: Array) -> dict[str, float]:
    found = np.quantile(values, QUANTILES)
    return {f"p{q * 100:02.0f}": float(v) for q, v in zip(QUANTILES, found, strict=True)}


def _median(values: Array) -> float | None:
    return float(np.median(values)) if len(values) else None


def _order_document(played: Played) -> dict[str, Any]:
    return {"drawdown_pct": _quantiles(played.outcomes["drawdown"] * 100.0)}


def _rules_text(settings: RiskSettings) -> list[str]:
    from risk.rules import build_rules

    told = [rule.describe() for rule in build_rules([settings])]
    if settings.profit_target is not None:
        told.append(f"passes at {settings.profit_target:g} profit at a day's end")
    return told


def _fan(played: Played, cash: float) -> dict[str, Any]:
    """Return quantiles of closed equity after each trading day, the start included."""
    assert played.equity is not None
    curves = np.quantile(played.equity, QUANTILES, axis=0)
    return {
        "days": list(range(curves.shape[1] + 1)),
        **{
            f"p{q * 100:02.0f}": [cash, *(round(float(v), 2) for v in curve)]
            for q, curve in zip(QUANTILES, curves, strict=True)
        },
    }
