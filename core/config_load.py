"""Putting a configuration together: file, environment and flags, every fault gathered."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.config import (
    BUNDLED_PLANS,
    Account,
    AlertSettings,
    Config,
    Group,
    Known,
    LiveSettings,
    Plan,
    Provenance,
    Settings,
)
from core.config_fields import (
    ACCOUNT_FIELDS,
    ACCOUNT_LIVE_FIELDS,
    ALERT_FIELDS,
    ALERT_VARIABLES,
    CREDENTIALS,
    GROUP_FIELDS,
    LIVE_FIELDS,
    LIVE_FLAGS,
    PLAN_FIELDS,
    SETTING_FIELDS,
    VARIABLES,
    Reader,
    check_zone,
    flag_name,
    is_file_name,
)
from core.errors import ConfigError, near_name
from core.log import redact, register_secrets

logger = logging.getLogger(__name__)

_SECTIONS = ("plans", "accounts", "groups", "settings", "live", "alerts", "venues", "fx", "risk")
_TABLES = ("params", "with", "instrument_set")
"""Plan fields merged key by key."""
_ATTRIBUTES = {"with": "further", "from": "first", "to": "last"}
"""Plan fields whose name is a Python word or clashes with one."""
_NEEDED = ("strategy", "instrument", "timeframe")
_CREDENTIAL = re.compile("secret|token|password|api_?key", re.IGNORECASE)
_NOT_SETTINGS = (
    "TOLA_CACHE_DIR", "TOLA_DEBUG", "TOLA_SHARED", "TOLA_TOKENS_DIR", "TOLA_VAULT_PATH",
    *ALERT_VARIABLES.values(),
)  # fmt: skip


class Loader:
    """One pass over a settings document; `load` raises all faults at once."""

    def __init__(
        self,
        document: Mapping[str, Any],
        path: str | None,
        variables: Mapping[str, str],
        flags: Mapping[str, Any],
        known: Known,
        derived: Mapping[str, Provenance],
    ) -> None:
        self._document = document
        self._path = path
        self._folder = Path(path).parent if path else Path()
        self._variables = variables
        self._flags = {name: value for name, value in flags.items() if value is not None}
        self._known = known
        self._derived = derived
        self._faults: list[str] = []
        self._provenance: dict[str, Provenance] = {}

    def load(self, select: Sequence[str]) -> Config:
        """Return the configuration with the selected plans, or raise ConfigError."""
        self._check_sections()
        self._check_flags()
        settings = self._settings()
        live, alerts = self._live(), self._alerts()
        accounts, groups = self._accounts(), self._groups()
        risk = self._risk_tables()
        venues = self._venues()
        fx = self._fx()
        plans, selected, names = self._plans(self._wanted(select))
        for name in names:
            self._check_plan(f"plans.{name}", accounts, risk, settings)
        if self._faults:
            where = self._path or "command line"
            count = f"{len(self._faults)} fault" + ("s" if len(self._faults) > 1 else "")
            raise ConfigError("\n".join([f"{where}: {count}", *self._faults]))
        return Config(
            plans,
            tuple(selected),
            accounts,
            settings,
            fx,
            risk,
            self._provenance,
            self._path,
            self._credentials(),
            live,
            alerts,
            groups,
            venues,
        )

    def _fault(self, where: str, text: str) -> None:
        line = f"  {where}: {text}"
        if line not in self._faults:
            self._faults.append(line)

    def _section(self, name: str) -> Mapping[str, Any]:
        section = self._document.get(name, {})
        if isinstance(section, Mapping):
            return section
        self._fault(name, f"expected a table [{name}]")
        return {}

    def _check_sections(self) -> None:
        for name in self._document:
            if name not in _SECTIONS:
                self._fault(f"[{name}]", f"unknown section{near_name(name, _SECTIONS)}")

    def _check_flags(self) -> None:
        known = (*PLAN_FIELDS, *SETTING_FIELDS, *LIVE_FLAGS)
        for name in self._flags:
            if name not in known:
                self._fault(f"--{name}", f"unknown{near_name(name, known)}")

    def _set(self, name: str, reader: Reader, value: Any, source: str, origin: str) -> bool:
        """Read one value over what is there; keep where it came from."""
        if source != "file" and isinstance(value, str) and not value.strip():
            self._fault(origin, "is empty; give a value or leave it out")
            return False
        try:
            read = reader(value)
        except ValueError as fault:
            where = name if source == "file" else origin
            self._fault(f"{where}={redact(str(value))}", str(fault))
            return False
        previous = self._provenance.get(name)
        if previous is not None and isinstance(read, dict) and isinstance(previous.value, dict):
            read = {**previous.value, **read}
        self._provenance[name] = Provenance(read, source, origin, previous)
        return True

    def _value(self, name: str, default: Any = None) -> Any:
        at = self._provenance.get(name)
        return default if at is None else at.value

    def _read_table(self, prefix: str, table: Any, fields: Mapping[str, Reader]) -> None:
        """Read the fields of one table of the file."""
        if not isinstance(table, Mapping):
            self._fault(prefix, f"expected a table [{prefix}]")
            return
        for key, value in table.items():
            if _CREDENTIAL.search(key):
                self._fault(f"{prefix}.{key}", "credentials belong in the environment or in .env")
                continue
            if key not in fields:
                self._fault(f"{prefix}.{key}", f"unknown{near_name(key, fields)}")
                continue
            if prefix == "alerts" and key in ALERT_VARIABLES:
                continue  # a credential: `_secret` reads it
            self._set(f"{prefix}.{key}", fields[key], value, "file", self._path or "")

    def _defaults(self, prefix: str, defaults: object) -> None:
        for name, default in vars(defaults).items():
            self._provenance[f"{prefix}.{name}"] = Provenance(default, "default", "")

    def _settings(self) -> Settings:
        self._defaults("settings", Settings())
        self._read_table("settings", self._section("settings"), SETTING_FIELDS)
        for name in ("instruments", "calendar"):
            self._anchor(f"settings.{name}")
        for variable, name in VARIABLES.items():
            value = self._variables.get(variable, "").strip()
            if value:  # an empty one is as good as none
                value = value.upper() if name == "log_level" else value
                self._set(f"settings.{name}", SETTING_FIELDS[name], value, "env", variable)
        self._warn_unknown_variables()
        for name, reader in SETTING_FIELDS.items():
            if name in self._flags:
                self._set(f"settings.{name}", reader, self._flags[name], "flag", flag_name(name))
        return Settings(**{name: self._value(f"settings.{name}") for name in SETTING_FIELDS})

    def _warn_unknown_variables(self) -> None:
        for variable in self._variables:
            if variable.startswith("TOLA_") and variable not in (*VARIABLES, *_NOT_SETTINGS):
                logger.warning("environment variable %s is not a setting: ignored", variable)

    def _live(self) -> LiveSettings:
        self._defaults("live", LiveSettings())
        self._read_table("live", self._section("live"), LIVE_FIELDS)
        for name in LIVE_FLAGS:
            if name in self._flags:
                flag = flag_name(name)
                self._set(f"live.{name}", LIVE_FIELDS[name], self._flags[name], "flag", flag)
        return LiveSettings(**{name: self._value(f"live.{name}") for name in LIVE_FIELDS})

    def _alerts(self) -> AlertSettings:
        self._defaults("alerts", AlertSettings())
        table = self._section("alerts")
        self._read_table("alerts", table, ALERT_FIELDS)
        values = {name: self._value(f"alerts.{name}") for name in ALERT_FIELDS}
        for name in ALERT_VARIABLES:
            del self._provenance[f"alerts.{name}"]
            values[name] = self._secret(name, table, values[name])
        register_secrets([*values["services"], values["ping"] or ""])
        return AlertSettings(**values)

    def _secret(self, name: str, table: Mapping[str, Any], default: Any) -> Any:
        """Read a credential of [alerts]; no message shows it and no run stores it."""
        variable = ALERT_VARIABLES[name]
        where, value = f"alerts.{name}", table.get(name)
        if self._variables.get(variable, "").strip():
            where, value = variable, self._variables[variable]
        if value is None:
            return default
        try:
            return ALERT_FIELDS[name](value)
        except ValueError as fault:
            self._fault(where, str(fault))
            return default

    def _accounts(self) -> dict[str, Account]:
        accounts = {}
        for name, table in self._section("accounts").items():
            prefix = f"accounts.{name}"
            self._read_table(prefix, table, ACCOUNT_FIELDS | ACCOUNT_LIVE_FIELDS)
            accounts[name] = Account(
                name,
                **self._given(prefix, ACCOUNT_FIELDS),
                live=self._given(prefix, ACCOUNT_LIVE_FIELDS),
            )
        return accounts

    def _given(self, prefix: str, fields: Mapping[str, Reader]) -> dict[str, Any]:
        """Return the values of those fields that stand in a table."""
        dotted = {key: f"{prefix}.{key}" for key in fields}
        return {key: self._value(at) for key, at in dotted.items() if at in self._provenance}

    def _groups(self) -> dict[str, Group]:
        groups = {}
        for name, table in self._section("groups").items():
            prefix = f"groups.{name}"
            self._read_table(prefix, table, GROUP_FIELDS)
            given = self._given(prefix, GROUP_FIELDS)
            for key in ("members", "currency"):
                if isinstance(table, Mapping) and key not in table:
                    self._fault(f"{prefix}.{key}", "missing")
            if {"members", "currency"} <= set(given):
                groups[name] = Group(name, **given)
        return groups

    def _risk_tables(self) -> dict[str, Mapping[str, Any]]:
        """Return the user's presets unread: the risk package knows their fields."""
        tables: dict[str, Mapping[str, Any]] = {}
        for name, table in self._section("risk").items():
            if isinstance(table, Mapping):
                tables[name] = dict(table)
            else:
                self._fault(f"risk.{name}", f"expected a table [risk.{name}]")
        return tables

    def _venues(self) -> dict[str, Mapping[str, Any]]:
        """Return the venues' own settings unread: each venue knows its fields."""
        tables: dict[str, Mapping[str, Any]] = {}
        for name, table in self._section("venues").items():
            if name not in CREDENTIALS:
                self._fault(f"venues.{name}", f"no such venue{near_name(name, CREDENTIALS)}")
            elif not isinstance(table, Mapping):
                self._fault(f"venues.{name}", f"expected a table [venues.{name}]")
            else:
                for key in filter(_CREDENTIAL.search, table):
                    self._fault(
                        f"venues.{name}.{key}", "credentials belong in the environment or in .env"
                    )
                tables[name] = dict(table)
        return tables

    def _fx(self) -> dict[str, float | str]:
        rates: dict[str, float | str] = {}
        for pair, value in self._section("fx").items():
            if len(pair) != 6 or not pair.isalpha() or not pair.isupper():
                self._fault(f"fx.{pair}", "expected a pair of currency codes, such as USDINR")
            elif isinstance(value, str) and value:
                rates[pair] = self._anchored(value)
            elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                rates[pair] = float(value)
            else:
                self._fault(f"fx.{pair}={value}", "expected a rate above 0 or a file in quotes")
        return rates

    def _wanted(self, select: Sequence[str]) -> Sequence[str]:
        """Return the names asked for; a strategy given by flag alone is a plan of its own."""
        strategy = self._flags.get("strategy")
        return [strategy] if strategy and not select else select

    def _plans(self, select: Sequence[str]) -> tuple[dict[str, Plan], list[Plan], list[str]]:
        """Return the file's plans as they stand, the selected ones with flags on, and all names."""
        section = self._section("plans")
        tables = section or BUNDLED_PLANS
        for name, table in tables.items():
            if section:
                self._read_table(f"plans.{name}", table, PLAN_FIELDS)
            else:
                self._bundled(name, table)
            self._anchor_plan(f"plans.{name}")
        found = [self._find(name, tables) for name in select] if select else list(tables)
        names = list(dict.fromkeys(name for name in found if name is not None))
        plans = {name: plan for name in tables if (plan := self._plan(name)) is not None}
        for name in names:
            self._apply_derived(f"plans.{name}")
            self._apply_flags(f"plans.{name}")
        selected = [plan for name in names if (plan := self._plan(name)) is not None]
        everything = list(dict.fromkeys([*tables, *names]))
        for name in everything:
            self._check_complete(f"plans.{name}")
        return plans, selected, everything

    def _bundled(self, name: str, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            self._provenance[f"plans.{name}.{key}"] = Provenance(value, "default", "bundled plan")

    def _find(self, name: str, tables: Mapping[str, Any]) -> str | None:
        """Return the plan meant by a name; a strategy's name makes a plan of its own."""
        if name in tables:
            return name
        strategies = self._known.strategies or {}
        if name in strategies or is_file_name(name):
            alike = next((plan for plan in BUNDLED_PLANS.values() if plan["strategy"] == name), {})
            self._bundled(name, {**alike, "strategy": name})
            return name
        self._fault(name, f"no such plan or strategy{near_name(name, (*tables, *strategies))}")
        return None

    def _apply_derived(self, prefix: str) -> None:
        """Take what the price file told where the user wrote nothing."""
        for key, told in self._derived.items():
            there = self._provenance.get(f"{prefix}.{key}")
            if there is None or there.source == "default":
                self._set(f"{prefix}.{key}", PLAN_FIELDS[key], told.value, told.source, told.origin)

    def _apply_flags(self, prefix: str) -> None:
        for key, reader in PLAN_FIELDS.items():
            if key in self._flags:
                self._set(f"{prefix}.{key}", reader, self._flags[key], "flag", flag_name(key))

    def _anchored(self, path: str) -> str:
        """Return a path of the settings file seen from the working folder."""
        return path if Path(path).is_absolute() else str(self._folder / path)

    def _anchor(self, name: str, change: Callable[[Any], Any] | None = None) -> None:
        at = self._provenance.get(name)
        if at is not None and at.source == "file" and at.value is not None:
            value = (change or self._anchored)(at.value)
            self._provenance[name] = Provenance(value, at.source, at.origin, at.previous)

    def _anchor_plan(self, prefix: str) -> None:
        self._anchor(f"{prefix}.data", lambda paths: tuple(map(self._anchored, paths)))
        self._anchor(
            f"{prefix}.with",
            lambda table: {name: self._anchored(path) for name, path in table.items()},
        )
        strategy = self._value(f"{prefix}.strategy")
        if isinstance(strategy, str) and is_file_name(strategy):
            self._anchor(f"{prefix}.strategy")

    def _plan(self, name: str) -> Plan | None:
        """Return a plan, None while a needed field is missing or could not be read."""
        values = {key: self._value(f"plans.{name}.{key}") for key in PLAN_FIELDS}
        if any(values[key] is None for key in _NEEDED):
            return None
        given = {
            _ATTRIBUTES.get(key, key): value for key, value in values.items() if value is not None
        }
        return Plan(name, **given)

    def _check_complete(self, prefix: str) -> None:
        for key in _NEEDED:
            names = f"{prefix}.{key}", f"{flag_name(key)}="
            told = any(name in line for name in names for line in self._faults)
            if self._value(f"{prefix}.{key}") is None and not told:
                self._fault(f"{prefix}.{key}", f"missing; add it or give {flag_name(key)}")

    def _check_plan(
        self,
        prefix: str,
        accounts: Mapping[str, Account],
        risk: Mapping[str, Any],
        settings: Settings,
    ) -> None:
        """Check the names a plan refers to, field by field, whether the plan is whole or not."""
        self._check_strategy(prefix)
        if self._known.presets is not None:
            self._check_name(f"{prefix}.risk", (*self._known.presets, *risk), "preset")
        self._check_name(f"{prefix}.account", tuple(accounts), "account")
        first, last = self._value(f"{prefix}.from"), self._value(f"{prefix}.to")
        if first and last and first > last:
            self._fault(prefix, f"from {first} lies after to {last}")
        self._check_instrument(prefix, settings)
        tz, check = self._value(f"{prefix}.tz"), self._known.check_zone or check_zone
        if tz is not None:
            self._try(f"{prefix}.tz", lambda: check(tz))

    def _check_name(self, name: str, known: Collection[str], kind: str) -> None:
        value = self._value(name)
        if value is not None and value not in known:
            self._fault(f"{name}={value}", f"no such {kind}{near_name(value, known)}")

    def _check_strategy(self, prefix: str) -> None:
        known, strategy = self._known.strategies, self._value(f"{prefix}.strategy")
        if known is None or strategy is None or is_file_name(strategy):
            return
        self._check_name(f"{prefix}.strategy", tuple(known), "strategy")
        names = known.get(strategy)
        for name in self._value(f"{prefix}.params", {}) if names is not None else ():
            if names is not None and name not in names:
                near = near_name(name, names)
                self._fault(f"{prefix}.params.{name}", f"{strategy} has no such setting{near}")

    def _check_instrument(self, prefix: str, settings: Settings) -> None:
        from core.instruments import get_instrument

        symbol = self._value(f"{prefix}.instrument")
        if symbol is not None:
            facts = self._value(f"{prefix}.instrument_set", {})
            self._try(
                f"{prefix}.instrument",
                lambda: get_instrument(symbol, facts, settings.instruments),
            )

    def _try(self, where: str, check: Callable[[], object]) -> None:
        try:
            check()
        except ConfigError as fault:
            self._fault(where, str(fault).replace("\n", "\n  "))

    def _credentials(self) -> dict[str, str]:
        """Return venues' variables, those of one account alone (NAME__ACCOUNT) among them."""
        names = {name for group in CREDENTIALS.values() for name in group}
        return {
            name: value
            for name, value in self._variables.items()
            if value and name.partition("__")[0] in names
        }
