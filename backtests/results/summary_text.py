"""A run's summary as lines for people, in the order a trader asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtests.results.funnel_text import funnel_line
from core.wording import plural

Summary = Mapping[str, Any]


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
    sign = "" if round(value) == 0 else "-" if value < 0 else "+"
    if currency == "USD":
        return f"{sign}${abs(value):,.0f}"
    return f"{sign}{abs(value):,.0f} {currency}"


def _headline(plan: Summary) -> list[str]:
    """Return the cells of a plan's first line."""
    mark = " (synthetic)" if plan.get("synthetic") else ""
    if plan.get("proxy_for"):
        mark += f" (index for {plan['proxy_for']})"
    where = f"{plan['instrument']}{mark} {plan['timeframe']}"
    trades = count_text(plan["trades"])
    if not plan["trades"]:
        return [plan["plan_id"], where, trades, "", "", plan["verdict"]]
    win = f"{plan['win_rate']:.0%} win".replace("%", " %")
    net = f"{money(plan['net_profit'], plan['currency'])} ({plan['return_pct']:+.1f} %)"
    return [plan["plan_id"], where, trades, win, net, f"{_expectancy(plan)}  {plan['verdict']}"]


def _expectancy(plan: Summary) -> str:
    mean, interval = plan.get("expectancy_r"), plan.get("expectancy_ci95")
    if mean is None:
        return _by_money(plan)
    if not interval:
        return f"{signed(mean)} R"
    return f"{signed(mean)} R [{signed(interval[0])}, {signed(interval[1])}]"


def _by_money(plan: Summary) -> str:
    """Return the mean trade in money, where no trade had a stop and so none has an R."""
    mean, interval = plan.get("expectancy_pnl"), plan.get("expectancy_pnl_ci95")
    if mean is None or not interval or "currency" not in plan:
        return "no R (no stops)"
    low, high = (money(edge, plan["currency"]) for edge in interval)
    return f"no R (no stops); {money(mean, plan['currency'])} a trade [{low}, {high}]"


def signed(value: float) -> str:
    """Return a number with its sign and two decimals; what rounds to zero has none."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def count_text(trades: int) -> str:
    """Return a number of trades in words: 1 trade, 41 trades."""
    return f"{trades:,} trade{'' if trades == 1 else 's'}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _details(plan: Summary, *, named: bool) -> list[str]:
    lead = f"{plan['plan_id']}: " if named else ""
    parts = [
        plan.get("data_read") or "",
        funnel_line(plan.get("funnel") or {}, plan.get("refused") or {}),
        _costs(plan),
        _limits(plan),
        _activity(plan),
        _holding(plan),
        _news(plan),
        _confidence(plan),
    ]
    return [f"  {lead}{text}" for text in parts if text]


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


def _activity(plan: Summary) -> str:
    """Return how often it traded, its longest pause and its longest losing streak."""
    if not plan["trades"]:
        return ""
    parts = []
    if plan.get("trades_a_month"):
        parts.append(f"{plan['trades_a_month']:.1f} trades a month")
    gap = plan.get("longest_gap")
    if gap:
        days = "days" if round(gap["days"]) != 1 else "day"
        parts.append(
            f"longest without one {gap['days']:.0f} {days} ({gap['from'][:10]} to {gap['to'][:10]})"
        )
    streak = plan.get("longest_losing_streak")
    if streak:
        lost = "" if streak["r"] is None else f" ({signed(streak['r'])} R)"
        parts.append(f"longest losing streak {streak['trades']}{lost}")
    return ", ".join(parts)


def _holding(plan: Summary) -> str:
    held = plan.get("buy_and_hold")
    if not held:
        return ""
    basis = "bought for the whole cash"
    if held["basis"] == "one_lot":
        basis = f"one lot, {held['notional'] / plan['cash_start']:.1f} times the cash"
    return (
        f"buy and hold {held['quantity']:g} {plan['instrument']} ({basis}): "
        f"{money(held['net_profit'], plan['currency'])} ({held['return_pct']:+.1f} %), "
        f"drawdown {held['max_drawdown_pct']:.1f} %"
    )


def _news(plan: Summary) -> str:
    """Return results around scheduled news against the others; "" if no trade was near any."""
    news = plan.get("news")
    if not news or not news["inside"]["trades"]:
        return ""
    before, after = news["minutes_before"], news["minutes_after"]
    minutes = f"{before} min" if before == after else f"{before} min before, {after} after"
    text = (
        f"open within {minutes} of {', '.join(news['currencies'])} news: {_part(news['inside'])}; "
        f"others: {_part(news['outside'])}"
    )
    unknown = news["not_covered"]
    return f"{text}; {unknown} lie outside the news list" if unknown else text


def _part(part: Summary) -> str:
    mean = _expectancy(part) if part["expectancy_r"] is not None else "no R"
    return f"{count_text(part['trades'])} {mean}"


def _confidence(plan: Summary) -> str:
    """Return how many trades would tell, where these do not."""
    needed = plan.get("trades_to_tell")
    if not needed or not plan["verdict"].startswith(("no edge", "too few")):
        return ""
    text = f"a mean this small needs about {needed:,} trades to be told from zero"
    power = plan.get("power")
    if not power:
        return text
    levels = f"{text} ({100 * power['alpha']:.0f} % error, {100 * power['power']:.0f} % power)"
    if power["detectable"] is None or plan.get("verdict_on") == "money":
        return levels
    return f"{levels}; {power['trades']:,} can tell {signed(power['detectable'])} R"


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
    if totals and len(summary["plans"]) > 1:
        nets = " and ".join(money(v, c) for c, v in totals["net_profit"].items())
        text = f"total  {count_text(totals['trades'])}  {nets}"
        if totals.get("expectancy_r") is not None:
            text += f"  {_expectancy(totals)}  {totals['verdict']}"
        lines.append(text)
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


FEW_NAMED = 5


def _named(summary: Summary) -> str:
    """Return the numbers of the ambiguous trades in trades.csv, where they are few."""
    rows = [row for plan in summary["plans"] for row in plan.get("ambiguous") or ()]
    if not 0 < len(rows) <= FEW_NAMED:
        return ""
    return f" (number {', '.join(str(row['trade_id']) for row in rows)})"


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
        parts.append(f"{plural(ambiguous, 'ambiguous trade')}{_named(summary)}")
    files = summary.get("files", {})
    parts.append(f"report {files['report']}" if files.get("report") else f"run {summary['run']}")
    parts.append(f"{sum(summary['seconds'].values()):.1f} s")
    return "    ".join(parts)
