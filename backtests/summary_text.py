"""A run's summary as lines for people, in the order a trader asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Summary = Mapping[str, Any]

FUNNEL_WORDS = ("bars", "in_window", "sweeps", "shifts", "zones", "setups", "armed", "filled")


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary of a run: a line a plan, details, accounts, band, report."""
    plans = summary["plans"]
    lines = _aligned([_headline(plan) for plan in plans])
    for plan in plans:
        lines += _details(plan, named=len(plans) > 1)
    lines += _account_lines(summary)
    lines += _remarks(summary)
    return [*lines, _last_line(summary)]


def short_lines(summary: Summary) -> list[str]:
    """Return what `--quiet` leaves: a line a plan and where the run lies."""
    return [*_aligned([_headline(plan) for plan in summary["plans"]]), _last_line(summary)]


def money(value: float | None, currency: str) -> str:
    """Return an amount with its sign and currency: -$498, +12,300 INR."""
    if value is None:
        return "-"
    sign = "-" if value < 0 else "+"
    if currency == "USD":
        return f"{sign}${abs(value):,.0f}"
    return f"{sign}{abs(value):,.0f} {currency}"


def _headline(plan: Summary) -> list[str]:
    """Return the cells of a plan's first line."""
    mark = " (synthetic)" if plan.get("synthetic") else ""
    if plan.get("proxy_for"):
        mark += f" (index for {plan['proxy_for']})"
    where = f"{plan['instrument']}{mark} {plan['timeframe']}"
    trades = f"{plan['trades']} trades"
    if not plan["trades"]:
        return [plan["plan_id"], where, trades, "", "", plan["verdict"]]
    win = f"{plan['win_rate']:.0%} win".replace("%", " %")
    net = f"{money(plan['net_profit'], plan['currency'])} ({plan['return_pct']:+.1f} %)"
    return [plan["plan_id"], where, trades, win, net, f"{_expectancy(plan)}  {plan['verdict']}"]


def _expectancy(plan: Summary) -> str:
    mean, interval = plan.get("expectancy_r"), plan.get("expectancy_ci95")
    if mean is None:
        return "no R (no stops)"
    if not interval:
        return f"{mean:+.2f} R"
    return f"{mean:+.2f} R [{interval[0]:+.2f}, {interval[1]:+.2f}]"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _details(plan: Summary, *, named: bool) -> list[str]:
    lead = f"{plan['plan_id']}: " if named else ""
    parts = [_funnel(plan), _costs(plan), _limits(plan), _confidence(plan)]
    return [f"  {lead}{text}" for text in parts if text]


def _funnel(plan: Summary) -> str:
    funnel = plan.get("funnel") or {}
    steps = [
        f"{word.replace('_', ' ')} {funnel[word]:,}" for word in FUNNEL_WORDS if word in funnel
    ]
    text = " > ".join(steps)
    for title, counts in (("dropped", funnel.get("dropped")), ("refused", plan.get("refused"))):
        if counts:
            ordered = sorted(counts.items(), key=lambda item: -item[1])
            names = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in ordered)
            text += f"{'    ' if text else ''}{title}: {names}"
    return text


def _costs(plan: Summary) -> str:
    costs = {kind: value for kind, value in (plan.get("costs") or {}).items() if value}
    if not costs:
        return "no costs" if plan["trades"] else ""
    total = sum(costs.values())
    kinds = ", ".join(f"{kind} {value:,.0f}" for kind, value in costs.items())
    gross = plan.get("gross_profit") or 0.0
    share = f", {total / gross:.0%} of gross winnings".replace("%", " %") if gross > 0 else ""
    return f"costs {total:,.0f} {plan['currency']} ({kinds}){share}"


def _limits(plan: Summary) -> str:
    parts = [plan.get("flat") or ""]
    if plan.get("open_positions"):
        parts.append("a position is still open, marked at the last close")
    return "    ".join(part for part in parts if part)


def _confidence(plan: Summary) -> str:
    parts = []
    needed = plan.get("trades_to_tell")
    if needed and plan["verdict"].startswith("no edge"):
        parts.append(f"a mean this small needs about {needed:,} trades to be told from zero")
    gap = plan.get("longest_gap_days")
    if plan["trades"] and gap and gap >= 10:
        parts.append(f"longest time without a trade {gap:.0f} days")
    return "    ".join(parts)


def _account_lines(summary: Summary) -> list[str]:
    lines = [_account_line(account) for account in summary["accounts"]]
    for account in summary["accounts"]:
        table = (summary.get("correlation") or {}).get(account["account"]) or {}
        names = list(table)
        pairs = [
            f"{one}/{other} {table[one][other]:+.2f}"
            for i, one in enumerate(names)
            for other in names[i + 1 :]
            if table[one][other] is not None
        ]
        if pairs:
            lines.append(f"correlation of daily P&L: {', '.join(pairs)}")
    totals = summary.get("totals")
    if totals and len(summary["accounts"]) > 1:
        nets = " and ".join(money(v, c) for c, v in totals["net_profit"].items())
        lines.append(f"total  {totals['trades']} trades  {nets}")
    return lines


def _account_line(account: Summary) -> str:
    currency = account["currency"]
    text = (
        f"account {account['account']}: {money(account['net_profit'], currency)} "
        f"({account['return_pct']:+.1f} %)  max drawdown {account['max_drawdown_pct']:.1f} %"
    )
    worst, limit = account.get("worst_day"), account.get("daily_limit")
    if worst is not None:
        of = f" of {money(-limit, currency)}" if limit else ""
        text += f"  worst day {money(worst, currency)}{of}"
    for key, what in (("daily_headroom", "daily limit"), ("floor_headroom", "floor")):
        left = account.get(key)
        if left is not None:
            text += f"  nearest to the {what} {money(left, currency).lstrip('+')}"
    locks = _locks(account.get("locks", []))
    return f"{text}  locked: {locks}" if locks else text


def _locks(events: list[Summary]) -> str:
    """Return which rules locked the account; a trailing drawdown locks it for good."""
    counts: dict[str, int] = {}
    for event in events:
        counts[event["rule"]] = counts.get(event["rule"], 0) + 1
    parts = []
    for rule, count in counts.items():
        name = rule.replace("_", " ")
        if rule == "trailing_drawdown":
            when = next(event["ts"][:10] for event in events if event["rule"] == rule)
            parts.append(f"{name} for good on {when}")
        else:
            parts.append(f"{name} {count} time{'s' if count > 1 else ''}")
    return ", ".join(parts)


def _remarks(summary: Summary) -> list[str]:
    lines = []
    if summary.get("interrupted"):
        lines.append("INTERRUPTED: results up to the bar at which it was stopped")
    lines += [f"note: {text}" for text in summary.get("notes", [])]
    return lines


def _last_line(summary: Summary) -> str:
    parts = []
    for plan in summary["plans"]:
        band = plan.get("band")
        if band and band["worst"] != band["best"]:
            low, high = (100 * band[side] / plan["cash_start"] for side in ("worst", "best"))
            name = f"{plan['plan_id']} " if len(summary["plans"]) > 1 else ""
            parts.append(f"{name}band worst..best {low:+.1f}..{high:+.1f} %")
    ambiguous = sum(plan.get("ambiguous_trades") or 0 for plan in summary["plans"])
    if ambiguous:
        parts.append(f"{ambiguous} ambiguous trade{'s' if ambiguous > 1 else ''}")
    files = summary.get("files", {})
    parts.append(f"report {files['report']}" if files.get("report") else f"run {summary['run']}")
    parts.append(f"{sum(summary['seconds'].values()):.1f} s")
    return "    ".join(parts)
