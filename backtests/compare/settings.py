"""Which settings, parameters and data differ between compared runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtests.compare.comparison import Entrant

_NO_MATTER = ("settings.out", "settings.report", "settings.band", "settings.log_level",
              "settings.database_url", "settings.secrets", "settings.paper_trading")  # fmt: skip
"""Settings that change no trade."""


def differing_settings(groups: Sequence[Sequence[Entrant]]) -> list[dict[str, Any]]:
    """Return the settings whose values are not the same in all runs: {name, values}."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        lead = f"{group[0].plan['plan_id']}: " if len(groups) > 1 else ""
        rows += _differing([_plan_facts(one) for one in group], lead)
    rows += _differing([_run_facts(one) for one in groups[0]], "")
    return rows


def _differing(facts: Sequence[Mapping[str, Any]], lead: str) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for found in facts for name in found)
    rows = [{"name": lead + name, "values": [found.get(name) for found in facts]} for name in names]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]


def _plan_facts(one: Entrant) -> dict[str, Any]:
    """Return a plan's own settings, those that decide its trades first."""
    found = _named(one.folder.run["plans"], "plan_id", one.plan["plan_id"])
    account = _named(one.folder.run.get("accounts", ()), "account", one.plan["account"])
    facts = {"strategy": one.plan["strategy"], "timeframe": one.plan["timeframe"]}
    facts |= {f"params.{name}": value for name, value in one.plan.get("params", {}).items()}
    overrides = found.get("instrument_set", {})
    facts |= {f"instrument.{name}": value for name, value in overrides.items()}
    facts |= {"from": found.get("from"), "to": found.get("to")}
    facts |= {"first bar": one.plan["first"], "last bar": one.plan["last"]}
    facts["data"] = _data(found.get("data", {}))
    facts |= {f"with {name}": _data(data) for name, data in found.get("further", {}).items()}
    facts |= {"currency": one.plan["currency"], "cash": one.account["cash_start"]}
    facts["risk rules"] = "; ".join(account.get("rules", ())) or "none"
    return facts


def _named(rows: Sequence[Mapping[str, Any]], key: str, name: str) -> Mapping[str, Any]:
    return next((row for row in rows if row[key] == name), {})


def _data(data: Mapping[str, Any]) -> str | None:
    """Return a price file as its name and the head of its hash: same hash, same prices."""
    if not data.get("sha256"):
        return None
    return f"{PurePath(str(data.get('path', ''))).name} {str(data['sha256'])[:8]}"


def _run_facts(one: Entrant) -> dict[str, Any]:
    run = one.folder.run
    facts = {
        name: setting["value"]
        for name, setting in run.get("settings", {}).items()
        if name.startswith("settings.") and name not in _NO_MATTER
    }
    facts |= {"seed": run.get("seed"), "code": run.get("code_version")}
    facts |= {f"library {name}": value for name, value in run.get("libraries", {}).items()}
    return facts
