"""From names and flags to a request: plans found, strategies and presets known, rates there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import strategies
from backtests.request import AccountRequest, BacktestRequest, PlanRequest
from backtests.usercode import is_file_name, load_strategy, split_file_name
from backtests.verbs.samples import is_sample, sample_path
from core.bars import format_timeframe, parse_timeframe
from core.config import (
    BUNDLED_PLANS,
    OVERRIDING,
    Config,
    Known,
    Plan,
    Provenance,
    Settings,
    load,
)
from core.errors import ConfigError, near_name
from core.fx import FxRate, find_rate
from core.instruments import Instrument, get_instrument
from risk.presets import PRESETS, get_preset
from risk.settings import RiskSettings, from_mapping
from strategies.base import SetupStrategy

_NOT_IN_FILES = re.compile(r"[^\w.-]+")


def resolve(names: Sequence[str], flags: Mapping[str, Any], config_file: str) -> BacktestRequest:
    """Return the request that names, flags, environment and settings file make.

    Parameters
    ----------
    names : sequence of str
        Plans or strategies; none: all plans of the settings file, or the bundled ones.
    flags : mapping
        Fields of plans and settings by name, None where not given (`core.config.load`).

    Raises
    ------
    ConfigError : one message naming every fault.
    """
    select, given = _selection(names, dict(flags))
    told = _told_by_file(select, given)
    config = load(config_file, flags=given, select=select, known=_known(), derived=told)
    plans = [_plan(_with_data(plan), config) for plan in config.selected]
    _check_file_names(plans)
    accounts = _accounts(plans, config)
    return BacktestRequest(
        tuple(accounts),
        config.settings,
        config.stored(),
        tuple(_overrides(config)),
        config.live,
        config.alerts,
        config.groups,
        config.fx,
    )


_UNTOLD = ("settings.out", "settings.report", "settings.band")
"""Flags that change no figure: not printed as overrides."""


def _overrides(config: Config) -> list[str]:
    """Return a line for each value that was displaced, or that a flag set without a default."""
    told = (".params", ".instrument_set")
    return [
        f"{name.removeprefix('plans.').removeprefix('settings.')} = {origin.describe()}"
        for name, origin in sorted(config.provenance.items())
        if origin.source in OVERRIDING
        and name not in _UNTOLD
        and (name.endswith(told) if origin.previous is None else _differs(origin))
    ]


def _known() -> Known:
    return Known(_Parameters(), PRESETS, _check_zone)


def _check_zone(name: str) -> None:
    from feeds.zones import parse_zone

    if name.lower() != "auto":
        parse_zone(name)


class _Parameters(Mapping[str, list[str]]):
    """Parameter names by strategy; only the strategies asked for are imported."""

    def __getitem__(self, name: str) -> list[str]:
        if name not in self:
            raise KeyError(name)
        return _parameter_names(strategies.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(strategies.names())

    def __len__(self) -> int:
        return len(strategies.names())

    def __contains__(self, name: object) -> bool:
        return name in strategies.names()


def _parameter_names(strategy: type[Any]) -> list[str]:
    """Return what `--set` may name for a strategy, ours or a plain one."""
    if issubclass(strategy, SetupStrategy):
        return [setting.name for setting in strategy.settings]
    return list(strategy.params._getkeys())


def _selection(
    names: Sequence[str], flags: dict[str, Any]
) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Return the plans meant, and the flags without the one that named them."""
    select = list(names)
    if not select and flags.get("strategy"):
        select = [flags.pop("strategy")]
    if flags.get("data") and len(select) != 1:
        raise ConfigError(
            "--data: name the one plan or strategy it is for, such as: "
            f"python run.py backtest gold_smc --data {flags['data'][0]}"
        )
    return select, flags


def _told_by_file(select: Sequence[str], flags: Mapping[str, Any]) -> dict[str, Provenance]:
    """Return instrument and timeframe as the data file tells them, where no flag names them.

    A plan of the settings file knows both by itself. A strategy with a bundled plan keeps that
    plan's timeframe if the file's bars can build it.
    """
    if not flags.get("data") or (flags.get("instrument") and flags.get("timeframe")):
        return {}
    strategy = select[0]
    if strategy not in strategies.names() and not is_file_name(strategy):
        return {}
    import feeds

    file = flags["data"][0]
    series = feeds.load(file, symbol=flags.get("instrument"), tz=flags.get("tz"))
    name = Path(file).name
    told = {}
    if not flags.get("instrument"):
        told["instrument"] = Provenance(series.symbol, "file name", name)
    usual = next((p["timeframe"] for p in BUNDLED_PLANS.values() if p["strategy"] == strategy), "")
    buildable = usual and parse_timeframe(usual) % series.timeframe_ns == 0
    if not flags.get("timeframe") and not buildable:
        own = format_timeframe(series.timeframe_ns)
        told["timeframe"] = Provenance(own, "file bars", name)
    return told


def _with_data(plan: Plan) -> Plan:
    """Return the plan with the bundled prices where it names none."""
    if plan.data:
        return plan
    further = dict(plan.further)
    if not is_file_name(plan.strategy):
        for name in getattr(strategies.get(plan.strategy), "further", ()):
            further.setdefault(name, sample_path(name, "1h"))
    data = (sample_path(plan.instrument, plan.timeframe),)
    return replace(plan, data=data, further=further, tz=None)


def _differs(origin: Provenance) -> bool:
    return origin.previous is not None and origin.previous.value != origin.value


def _plan(plan: Plan, config: Config) -> PlanRequest:
    settings = config.settings
    instrument = _instrument(plan, settings)
    account = config.account_for(plan, instrument.quote_currency)
    fx = _rate(instrument.quote_currency, str(account.currency), config)
    own: Mapping[str, Any] = {}
    from_file = is_file_name(plan.strategy)
    strategy = load_strategy(plan.strategy) if from_file else strategies.get(plan.strategy)
    if issubclass(strategy, SetupStrategy):
        values = strategy.read(plan.params)
        strategy.check(values, instrument)
        own = strategy.default_rules(values)
        params = {**values, "plan_id": _file_name(plan.name), "instrument": instrument, "fx": fx}
    else:
        params = _plain_params(plan, strategy)
    return PlanRequest(
        plan,
        _file_name(plan.name),
        strategy,
        params,
        instrument,
        fx,
        own,
        synthetic=all(map(is_sample, plan.data)),
    )


def _instrument(plan: Plan, settings: Settings) -> Instrument:
    instrument = get_instrument(plan.instrument, plan.instrument_set, settings.instruments)
    if settings.unconfirmed == "skip":
        instrument = instrument.confirmed_only()
    if not settings.costs:
        instrument = instrument.without_costs()
    return instrument if settings.margin else instrument.without_margin()


def _rate(quote: str, account: str, config: Config) -> FxRate:
    import feeds

    given = {
        pair: feeds.load(rate, symbol=pair, calendar="FX") if isinstance(rate, str) else rate
        for pair, rate in config.fx.items()
        if {quote, account} == {pair[:3], pair[3:]}
    }
    return find_rate(quote, account, given)


def _file_name(name: str) -> str:
    """Return a plan's name fit for files; of file.py:Class the class, of file.py its stem."""
    if is_file_name(name):
        file, wanted = split_file_name(name)
        name = wanted or Path(file).stem
    return _NOT_IN_FILES.sub("-", name).strip("-")


def _check_file_names(plans: Sequence[PlanRequest]) -> None:
    """Raise ConfigError where two plans would write the same files (case counts on some disks)."""
    taken: dict[str, str] = {}
    for plan in plans:
        other = taken.setdefault(plan.plan_id.casefold(), plan.plan.name)
        if other != plan.plan.name:
            raise ConfigError(
                f"plans {other!r} and {plan.plan.name!r} would write the same files; rename one"
            )


def _plain_params(plan: Plan, strategy: type[Any]) -> dict[str, Any]:
    """Return the parameters of a user's strategy, checked by name, read as TOML reads them."""
    known = _parameter_names(strategy)
    unknown = [name for name in plan.params if name not in known]
    if unknown:
        raise ConfigError(
            f"{strategy.__name__} has no parameter {unknown[0]!r}"
            + (near_name(unknown[0], known) if known else " (it has none)")
        )
    return {name: _value(value) for name, value in plan.params.items()}


def _value(given: Any) -> Any:
    """Return a flag's text as TOML reads it (3, 0.5, true); other text stays text."""
    if not isinstance(given, str):
        return given
    try:
        return tomllib.loads(f"value = {given}")["value"]
    except tomllib.TOMLDecodeError:
        return given


def _accounts(plans: Sequence[PlanRequest], config: Config) -> list[AccountRequest]:
    """Return the plans gathered by account; imagined accounts are one a currency."""
    grouped: dict[tuple[str, str], list[PlanRequest]] = {}
    cash: dict[tuple[str, str], float] = {}
    for plan in plans:
        account = config.account_for(plan.plan, plan.instrument.quote_currency)
        key = (account.name, str(account.currency))
        grouped.setdefault(key, []).append(plan)
        given = float(account.cash or 0.0)
        if cash.setdefault(key, given) != given:
            raise ConfigError(
                f"account {account.name}: its plans name different cash "
                f"({cash[key]:,.0f} and {given:,.0f} {key[1]}); an account has one"
            )
    names = [name for name, _ in grouped]
    return [
        AccountRequest(
            name if names.count(name) == 1 else f"{name}-{currency.lower()}",
            currency,
            cash[name, currency],
            tuple(group),
            _limits(group, config),
        )
        for (name, currency), group in grouped.items()
    ]


def _limits(plans: Sequence[PlanRequest], config: Config) -> tuple[RiskSettings, ...]:
    """Return what the guard enforces: each plan's preset, else its strategy's own limits."""
    limits: list[RiskSettings] = []
    for plan in plans:
        preset = plan.plan.risk
        found: RiskSettings | None
        if preset is not None and preset in config.risk:
            found = from_mapping(config.risk[preset], name=preset)
        elif preset is not None:
            found = get_preset(preset)
        else:
            found = own_limits(plan)
        if found is not None and found not in limits:
            limits.append(found)
    return tuple(limits)


def own_limits(plan: PlanRequest) -> RiskSettings | None:
    """Return the limits made of a strategy's own parameters; None where it has none."""
    if not plan.own_limits:
        return None
    own = {key: value for key, value in plan.own_limits.items() if key != "name"}
    name = str(plan.own_limits.get("name", plan.plan_id))
    return from_mapping({**own, "plan": plan.plan_id}, name=name)
