"""What a study of odds says: lines for people, and the content of its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtests.odds.chances import Chance, percent
from backtests.odds.study import Study
from core.wording import plural

Document = Mapping[str, Any]

_COLUMNS = {"passed": "passes", "failed": "fails", "unfinished": "still open",
            "daily_limit": "daily limit met"}  # fmt: skip
_MANY_PATHS = 1_000
INTERVALS = "in brackets: 95 % of other histories of this length"


def lines(told: Document) -> list[str]:
    """Return a study for people: what was drawn, ruin, accounts, stress."""
    head = (
        f"{told['plan_id']}  {plural(told['trades'], 'trade')} on {plural(told['days'], 'day')}, "
        f"{told['first']} to {told['last']}; {plural(told['paths'], 'path')} of "
        f"{plural(told['horizon'], 'day')} in "
        f"blocks of {told['block_length']:.1f}"
    )
    depth, end = told["drawdown_pct"], told["return_pct"]
    out = [
        head,
        f"ruin (-{told['ruin_pct']:g} %) {_chance(told['ruin'])}   loss {_chance(told['loss'])}   "
        f"({INTERVALS})",
        f"return {end['p50']:+.1f} % [{end['p05']:+.1f}, {end['p95']:+.1f}]   drawdown "
        f"{depth['p50']:.1f} %, in 1 of 20 paths {depth['p95']:.1f} % or more",
    ]
    out += _aligned([("account", *_COLUMNS.values(), "days to pass"), *account_rows(told)])
    out += _aligned([("if", "return %", "drawdown %", "loss", "ruin"), *stress_rows(told)])
    out += [f"{name}: {note}" for name, row in told["accounts"].items() for note in row["notes"]]
    return out + list(told["notes"])


def short_lines(told: Document) -> list[str]:
    """Return what `--quiet` leaves: a line for ruin and one an account."""
    return [f"ruin {_chance(told['ruin'])}", *_aligned(account_rows(told))]


def account_rows(told: Document) -> list[tuple[str, ...]]:
    """Return the odds under each account's rules, as text."""
    rows = []
    for name, row in told["accounts"].items():
        cells = [_chance(row["chances"].get(key)) for key in _COLUMNS]
        days = row["days_to_pass"]
        rows.append((name, *cells, "-" if days is None else f"{days:.0f}"))
    return rows


def stress_rows(told: Document) -> list[tuple[str, ...]]:
    """Return what things going worse do, as text."""
    return [
        (
            row["what"],
            f"{row['return_pct']['p50']:+.1f} [{row['return_pct']['p05']:+.1f}, "
            f"{row['return_pct']['p95']:+.1f}]",
            f"{row['drawdown_pct']['p50']:.1f}, {row['drawdown_pct']['p95']:.1f}",
            _stressed(row["loss"], row["paths"]),
            _stressed(row["ruin"], row["paths"]),
        )
        for row in told["stress"]
    ]


def _chance(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    wider = row["sample_ci95"]
    found = Chance(row["p"], tuple(row["ci95"]), None if wider is None else tuple(wider))
    return found.text()


def _stressed(row: Mapping[str, Any], paths: int) -> str:
    """Return a share; its interval where it says more than how many paths were drawn."""
    if row["sample_ci95"] is None and paths >= _MANY_PATHS:
        return percent(row["p"])
    return _chance(row)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def page_content(done: Study) -> dict[str, Any]:
    """Return what `reports.study.write_study` lays out."""
    told = done.document
    of_run = f"run {told['run']}" if told["run"] else "a run made for it"
    return {
        "title": f"Tola: odds of {told['plan_id']}",
        "subtitle": f"{of_run} · {plural(told['trades'], 'trade')}, {told['first']} to "
        f"{told['last']}",
        "verdict": f"ruin {_chance(told['ruin'])} · loss {_chance(told['loss'])} after "
        f"{told['horizon']} trading days",
        "notices": [f"Odds are of these trades and no others; {INTERVALS}.", *told["notes"]],
        "sections": [
            _paths_section(done),
            *([_accounts_section(told)] if told["accounts"] else []),
            _stress_section(told),
            _method_section(told),
        ],
    }


def _paths_section(done: Study) -> dict[str, Any]:
    told = done.document
    floor = told["cash"] * (1.0 - told["ruin_pct"] / 100.0)
    drawn = _fan_chart("Days drawn in blocks", "paths", done.fans["paths"], told)
    lowest = min(done.fans["paths"]["p05"])
    if lowest < told["cash"] - 0.5 * (told["cash"] - floor):
        drawn["levels"] = [{"label": "ruin", "y": floor}]
    order = _fan_chart("The run's trades in other orders", "order", done.fans["order"], told)
    return {"title": "Equity", "items": [drawn, order]}


def _fan_chart(title: str, file: str, fan: Mapping[str, Any], told: Document) -> dict[str, Any]:
    return {
        "kind": "curves", "title": title, "unit": told["currency"], "file": file,
        "x": fan["days"], "x_label": "trading days",
        "bands": [{"label": "9 of 10 paths", "low": fan["p05"], "high": fan["p95"]},
                  {"label": "half of them", "low": fan["p25"], "high": fan["p75"]}],
        "series": [{"label": "median", "y": fan["p50"]}],
    }  # fmt: skip


def _accounts_section(told: Document) -> dict[str, Any]:
    rows = []
    for name, row in told["accounts"].items():
        for key, color in (("passed", "--up"), ("failed", "--down"), ("daily_limit", "--accent")):
            found = row["chances"].get(key)
            if found is not None:
                low, high = found["sample_ci95"]
                rows.append({"label": f"{name}: {_COLUMNS[key]}", "low": low * 100.0,
                             "value": found["p"] * 100.0, "high": high * 100.0,
                             "text": _chance(found), "color": color})  # fmt: skip
    chart = {"kind": "intervals", "title": "Odds under account rules", "unit": "% of paths",
             "file": "accounts", "left": 0.0, "right": 100.0, "rows": rows}  # fmt: skip
    head = ("account", *_COLUMNS.values(), "days to pass")
    table = {"kind": "table", "head": head, "rows": account_rows(told)}
    rules = {
        "kind": "table", "head": ("account", "begins with", "rules"), "words": (0, 2),
        "rows": [(name, f"{row['cash']:,.0f} {told['currency']}", "; ".join(row["rules"]))
                 for name, row in told["accounts"].items()],
    }  # fmt: skip
    notes = [f"{name}: {note}" for name, row in told["accounts"].items() for note in row["notes"]]
    items = [chart, table, rules, *([{"kind": "text", "lines": notes}] if notes else [])]
    return {"title": "Account rules", "items": items}


def _stress_section(told: Document) -> dict[str, Any]:
    head = ("if", "return %, median [5, 95]", "drawdown %, median, 95", "loss", "ruin")
    return {
        "title": "Stress",
        "items": [{"kind": "table", "head": head, "rows": stress_rows(told)}],
    }


def _method_section(told: Document) -> dict[str, Any]:
    rows = [
        ("paths", f"{told['paths']:,} of {told['horizon']} trading days, seed {told['seed']}"),
        ("days", f"stationary bootstrap (Politis, Romano 1994), mean block "
                 f"{told['block_length']:.2f} days (Politis, White 2004; Patton et al. 2009)"),
        ("intervals", "percentiles over samples drawn anew; without one Wilson's score interval"),
        ("sizes", told["sizes"]),
        ("account rules", "the guard's arithmetic, trade by trade within each trading day; an open "
                          "trade's worst moment counts, a limit fills at its price"),
    ]  # fmt: skip
    return {
        "title": "How",
        "items": [{"kind": "table", "head": ("", ""), "rows": rows, "words": (0, 1)}],
    }
