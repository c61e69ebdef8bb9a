"""The sections of the report page that stand when it is written, as HTML text.

What follows a filter or a pointer (chart, trades, calendar) is filled by reports/page/*.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from core.wording import plural
from reports.markup import (
    Cell,
    bar_rows,
    card,
    cards,
    cell,
    columns,
    number,
    part,
    quiet,
    section,
    signed_class,
    table,
)
from reports.tables import limit_headroom, monthly_results

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Summary = Mapping[str, Any]


def local_time(stamp: Any, zone: str, with_time: bool = True) -> str:
    """Return an ISO 8601 UTC stamp in the market's zone, without the zone's name."""
    if not stamp:
        return ""
    moment = datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M" if with_time else "%Y-%m-%d")


def zone_of(plan: Summary) -> str:
    """Return the zone a plan's times are shown in."""
    return str(plan.get("zone") or "UTC")


def notices(summary: Summary) -> str:
    """Return what a reader must know before any figure."""
    found: list[str] = []
    if summary.get("interrupted"):
        found.append("This run was interrupted: it covers only the bars up to the interruption.")
    for plan in summary.get("plans", []):
        name = str(plan.get("plan_id", ""))
        if plan.get("synthetic"):
            found.append(
                f"{name}: the prices are synthetic; these figures say nothing about a market."
            )
        if plan.get("proxy_for"):
            found.append(
                f"{name}: the bars are an index standing in for {plan['proxy_for']}; "
                "a future's own prices, volume and roll differ."
            )
        if plan.get("open_positions"):
            found.append(f"{name}: a position is still open, marked at the last close.")
    found += [str(note) for note in summary.get("notes", [])]
    return "".join(f'<p class="notice">{escape(text)}</p>' for text in found)


def plans_overview(summary: Summary) -> str:
    """Return one row a plan and one an account, where there are several; a plan's name shows it."""
    plans, accounts = summary.get("plans", []), summary.get("accounts", [])
    parts = []
    if len(plans) > 1:
        head = ["plan", "market", "bars of", "trades", "winners", "net", "expectancy", "verdict"]
        rows = [_plan_row(plan) for plan in plans] + _total_row(summary.get("totals") or {})
        parts.append(table(head, rows, "plans of this run"))
    if len(accounts) > 1 or len(plans) > len(accounts):
        head = ["account", "plans", "cash", "net", "return", "max drawdown"]
        parts.append(table(head, [_account_row(a) for a in accounts], "accounts of this run"))
    for account, values in (summary.get("correlation") or {}).items():
        parts.append(_correlation(str(account), values))
    return section("Plans", *parts, anchor="plans") if parts else ""


def _plan_row(plan: Summary) -> list[str]:
    name = escape(str(plan["plan_id"]), quote=True)
    net = plan.get("net_profit")
    return [
        Cell(f'<td><button data-choose="{name}" aria-pressed="false">{name}</button></td>'),
        cell(str(plan.get("instrument", "")), "text"),
        cell(str(plan.get("timeframe", "")), "text"),
        number(plan.get("trades"), 0),
        number(_percent(plan.get("win_rate")), 1, " %"),
        cell(f"{number(net, 0)} {plan.get('currency', '')}", signed_class(net)),
        number(plan.get("expectancy_r"), 2, " R"),
        cell(str(plan.get("verdict") or ""), "text"),
    ]


def _total_row(totals: Summary) -> list[list[str]]:
    """Return the row of all plans together; money of several currencies stands side by side."""
    if totals.get("trades") is None:
        return []
    net = totals.get("net_profit") or {}
    return [
        [
            "all",
            cell("", "text"),
            cell("", "text"),
            number(totals["trades"], 0),
            number(_percent(totals.get("win_rate")), 1, " %"),
            ", ".join(f"{number(value, 0)} {currency}" for currency, value in net.items()),
            number(totals.get("expectancy_r"), 2, " R"),
            cell(str(totals.get("verdict") or ""), "text"),
        ]
    ]


def _account_row(account: Summary) -> list[str]:
    currency, net = account.get("currency", ""), account.get("net_profit")
    return [
        str(account["account"]),
        cell(", ".join(account.get("plans", [])), "text"),
        f"{number(account.get('cash_start'), 0)} {currency}",
        cell(f"{number(net, 0)} {currency}", signed_class(net)),
        cell(number(account.get("return_pct"), 2, " %"), signed_class(net)),
        number(account.get("max_drawdown_pct"), 2, " %"),
    ]


def _correlation(account: str, values: Any) -> str:
    """Return the correlations of daily P&L of an account's plans."""
    if not isinstance(values, Mapping) or not values:
        return ""
    rows = [(str(pair), number(value)) for pair, value in values.items() if _is_number(value)]
    if not rows:  # {plan: {plan: value}}
        names = list(values)
        grid = [[str(a), *(number(values[a].get(b)) for b in names)] for a in names]
        return part(f"correlation of daily P&L, {account}", table(["", *map(str, names)], grid))
    return part(f"correlation of daily P&L, {account}", table(["plans", ""], rows))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _percent(share: Any) -> Any:
    return None if share is None else share * 100


def plan_section(plan: Summary, currency: str) -> str:
    """Return a plan's verdict and key figures."""
    zone, net = zone_of(plan), plan.get("net_profit")
    where = (
        f"{plan.get('strategy')} · {plan.get('instrument')} · {plan.get('timeframe')} · "
        f"{number(plan.get('bars'), 0)} bars, {local_time(plan.get('first'), zone)} to "
        f"{local_time(plan.get('last'), zone)} ({zone})"
    )
    gap, streak = plan.get("longest_gap") or {}, plan.get("longest_losing_streak") or {}
    found = [
        card(f"net profit, {currency}", number(net, _cents(net)), signed_class(net)),
        card("return", number(plan.get("return_pct"), 2, " %"), signed_class(net)),
        card("max drawdown", number(plan.get("max_drawdown_pct"), 2, " %")),
        card("trades", number(plan.get("trades"), 0)),
        card("winners", number(_percent(plan.get("win_rate")), 1, " %")),
        card("profit factor", number(plan.get("profit_factor"))),
        card("Sharpe", number(plan.get("sharpe")), hint="of daily returns, a year"),
        card("Sortino", number(plan.get("sortino")), hint="of daily returns, a year"),
        card("Calmar", number(plan.get("calmar")), hint="return a year over max drawdown"),
        card("worst day", number(plan.get("worst_day"), 0)),
        card("best day", number(plan.get("best_day"), 0)),
    ]
    if plan.get("trades_a_month") is not None:
        found.append(card("trades a month", number(plan["trades_a_month"], 1)))
    if gap:
        hint = f"{local_time(gap.get('from'), zone)} to {local_time(gap.get('to'), zone)} ({zone})"
        found.append(card("longest pause, days", number(gap.get("days"), 1), hint=hint))
    if streak:
        text = number(streak.get("trades"), 0)
        hint = f"{number(streak.get('pnl'))} {currency}, {number(streak.get('r'))} R"
        found.append(card("losses in a row, longest", text, hint=hint))
    band = plan.get("band") or {}
    if band:
        text = f"{number(band.get('worst'), 0)} … {number(band.get('best'), 0)}"
        if band.get("worst") == band.get("best"):
            text = "no width"
        hint = "net profit of whole runs by other readings of which extreme of a bar came first"
        found.append(card("band of net profit", text, hint=hint))
    return section(
        str(plan["plan_id"]),
        quiet(where),
        columns(part("is there an edge?", verdict(plan)), part("beside holding", holding(plan))),
        cards(found),
        plan_id=str(plan["plan_id"]),
    )


def verdict(plan: Summary) -> str:
    """Return the verdict with its interval drawn and what it would take to tell."""
    text, mean = plan.get("verdict"), plan.get("expectancy_r")
    if not text:
        return ""
    unit, interval = "R", plan.get("expectancy_ci95")
    if plan.get("verdict_on") == "money" or (
        mean is None and plan.get("expectancy_pnl") is not None
    ):
        unit, mean = str(plan.get("currency", "")), plan.get("expectancy_pnl")
        interval = plan.get("expectancy_pnl_ci95")
    lines = [f'<p class="verdict">{escape(_sentence(str(text)))}</p>']
    if mean is not None:
        low, high = interval or (None, None)
        known = f"; 95 % interval {number(low)} … {number(high)} {unit}" if interval else ""
        lines.append(f"<p>Mean result a trade: <b>{number(mean)} {escape(unit)}</b>{known}.</p>")
        if interval and low is not None and high is not None:
            lines.append(interval_svg(float(low), float(mean), float(high), unit))
    power = plan.get("power") or {}
    needed = plan.get("trades_to_tell") or power.get("needed")
    if needed and plan.get("trades"):
        lines.append(
            f"<p>Made: {plural(plan['trades'], 'trade')}. To tell such a mean from zero "
            f"takes about <b>{number(needed, 0)}</b>"
            + (f" (power {number(100 * power['power'], 0)} %)" if power.get("power") else "")
            + ".</p>"
        )
    if plan.get("expectancy_method"):
        lines.append(quiet(str(plan["expectancy_method"])))
    return "".join(lines)


def _cents(value: Any) -> int:
    """Return the decimals of a sum on a card: none beyond a million."""
    return 0 if value is not None and abs(value) >= 1e6 else 2


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def interval_svg(low: float, mean: float, high: float, unit: str) -> str:
    """Return an interval beside zero as inline SVG."""
    width, height, edge = 420.0, 46.0, 34.0
    first, last = min(low, 0.0), max(high, 0.0)
    span = (last - first) or 1.0

    def x(value: float) -> float:
        return edge + (value - first) / span * (width - 2 * edge)

    colour = "--up" if low > 0 else "--down" if high < 0 else "--quiet"
    label = f"95 % interval {number(low)} to {number(high)} {unit}, mean {number(mean)}"
    ends = "".join(
        f'<text x="{x(value):.1f}" y="43" text-anchor="middle">{number(value)}</text>'
        for value in (low, high)
    )
    zero = (
        f'<text x="{x(0):.1f}" y="9" text-anchor="middle">0</text>'
        f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="12" y2="31" class="zero"/>'
    )
    return (
        f'<svg class="interval" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
        f'<line x1="{edge}" x2="{width - edge}" y1="22" y2="22" class="rule"/>'
        f'<rect x="{x(low):.1f}" y="18" width="{max(x(high) - x(low), 1):.1f}" height="8" rx="4" '
        f'fill="var({colour})" opacity=".45"/>{zero}'
        f'<circle cx="{x(mean):.1f}" cy="22" r="5.5" fill="var({colour})"/>{ends}</svg>'
    )


def holding(plan: Summary) -> str:
    """Return the plan beside its instrument bought and held over the same bars."""
    held = plan.get("buy_and_hold")
    if not held:
        return ""
    currency = str(plan.get("currency", ""))
    rows = [
        [
            name,
            cell(f"{number(of.get('net_profit'), 0)}", signed_class(of.get("net_profit"))),
            number(of.get("return_pct"), 1, " %"),
            number(of.get("max_drawdown_pct"), 1, " %"),
        ]
        for name, of in (("this plan", plan), ("bought and held", held))
    ]
    whole = held.get("basis") == "full_notional"
    how = "as many lots as the cash pays for" if whole else "one lot (the cash pays for none)"
    text = (
        f"{number(held.get('quantity'), 2).rstrip('0').rstrip('.')} at "
        f"{number(held.get('entry_price'))}, {how}, marked at {number(held.get('exit_price'))}."
    )
    head = ["", f"net, {currency}", "return", "max drawdown"]
    return table(head, rows, "plan and buy and hold") + quiet(text)


def equity_section(summary: Summary) -> str:
    """Return the frames of the equity curves with the months of each account."""
    parts = []
    for at, account in enumerate(summary.get("accounts", [])):
        name = f"{account['account']}, {account.get('currency', '')}"
        hold = (
            f'<button id="hold-{at}" class="hold screen" aria-pressed="true">buy and hold</button>'
        )
        parts.append(
            f'<div class="row"><h3>{escape(name)}</h3><span class="spacer"></span>{hold}</div>'
            f'<canvas class="equity" id="equity-{at}" role="img" aria-label="equity, drawdown and '
            f'buy and hold of {escape(name, quote=True)}"></canvas>'
            f'<div class="readout screen" id="equity-readout-{at}"></div>'
        )
    return section("Equity", *parts, anchor="equity")


def months_section(summary: Summary, days: Sequence[Any]) -> str:
    """Return each account's results by month and year, in per cent of the equity before."""
    parts = []
    for account, table_ in zip(summary.get("accounts", []), days, strict=True):
        found = monthly_results(table_)
        if found:
            currency = str(account.get("currency", ""))
            title = f"{account['account']}: per cent of the month's first equity"
            parts.append(part(title, _months_table(found, currency)))
    return section("Months", *parts, anchor="months") if parts else ""


def _months_table(years: Sequence[Summary], currency: str) -> str:
    worst = max((abs(m["pct"]) for y in years for m in y["months"].values()), default=0.0) or 1.0
    rows = [
        [
            cell(str(year["year"])),
            *(_month_cell(year["months"].get(i + 1), worst, currency) for i in range(12)),
            _month_cell(year, None, currency),
        ]
        for year in years
    ]
    return table(["", *MONTHS, "year"], rows, "results by month")


def _month_cell(month: Summary | None, worst: float | None, currency: str) -> str:
    if month is None:
        return Cell("<td></td>")
    value, tint = float(month["pct"]), ""
    if worst and value:
        strength = 12 + 48 * abs(value) / worst
        name = "--up" if value > 0 else "--down"
        tint = f' style="background:color-mix(in srgb, var({name}) {strength:.0f}%, transparent)"'
    colour = (
        f' class="{"quiet" if worst else signed_class(value)}"' if not (worst and value) else ""
    )
    title = f"{number(month['pnl'])} {currency}"
    text = f'<td{tint}{colour} title="{escape(title, quote=True)}">{number(value, 1)}</td>'
    return Cell(text)


def calendar_section(summary: Summary) -> str:
    """Return the frames of the daily calendars; the page's script fills them."""
    parts = [
        f"<h3>{escape(str(account['account']))}, {escape(str(account.get('currency', '')))}</h3>"
        f'<div class="row screen" id="calendar-year-{at}"></div>'
        f'<div class="months" id="calendar-{at}"></div>'
        for at, account in enumerate(summary.get("accounts", []))
    ]
    hint = (
        '<p class="quiet screen">A click on a day shows its trades. Framed: locked by a rule.</p>'
    )
    return section("Daily profit and loss", *parts, hint, anchor="calendar")


def limits_section(summary: Summary, days: Sequence[Any], zone: str) -> str:
    """Return what rules held each account and how near they came."""
    parts = []
    for account, table_ in zip(summary.get("accounts", []), days, strict=True):
        parts.append(_limits(account, limit_headroom(table_), zone))
    return section("Rules and headroom", *parts, anchor="limits")


def _limits(account: Summary, rows: Sequence[Summary], zone: str) -> str:
    currency = str(account.get("currency", ""))
    rules = "".join(f"<li>{escape(str(rule))}</li>" for rule in account.get("rules") or [])
    left = f"<ul>{rules}</ul>" if rules else quiet("No rule was in force.")
    if account.get("floor_headroom") is not None:
        left += quiet(f"Nearest to the floor: {number(account['floor_headroom'])} {currency} left.")
    locks = account.get("locks") or []
    if locks:
        counts: dict[str, int] = {}
        for lock in locks:
            counts[str(lock.get("rule"))] = counts.get(str(lock.get("rule")), 0) + 1
        left += part("locks", bar_rows([(r, n, number(n, 0)) for r, n in counts.items()], "--down"))
        last = local_time(locks[-1].get("ts"), zone)
        left += quiet(f"The last: {locks[-1].get('rule')}, {last} ({zone}).")
    right = ""
    if rows:
        nearest = sorted(rows, key=lambda row: row["headroom"] / row["limit"])[:10]
        locked = sum(1 for row in rows if row["locked"])
        lines = [
            (
                row["day"] + (" locked" if row["locked"] else ""),
                (row["limit"] - row["headroom"]) / row["limit"],
                f"{number(row['headroom'], 0)} left of {number(row['limit'], 0)}",
            )
            for row in nearest
        ]
        text = (
            f"{plural(len(rows), 'trading day')} under a daily loss limit, "
            f"{number(locked, 0)} locked. Share of the limit used on the nearest days:"
        )
        right = quiet(text) + bar_rows(lines, "--down", full=1.0)
    name = f"{account['account']}, {currency}"
    return columns(part(name, left), part("daily loss limit", right))


def plan_details(plan: Summary, funnel: Summary, currency: str) -> str:
    """Return costs by kind, refusals, the funnel, news and ambiguous trades of a plan."""
    costs = plan.get("costs") or {}
    gross = plan.get("gross_profit")
    total = sum(costs.values())
    cost_rows = [(kind.replace("_", " "), value, number(value)) for kind, value in costs.items()]
    cost_text = f"total {number(total)} {currency}"
    if gross:
        cost_text += f", {number(100 * total / gross, 1)} % of what the winners made before costs"
    refused = [
        (rule.replace("_", " "), count, number(count, 0))
        for rule, count in (plan.get("refused") or {}).items()
    ]
    return section(
        f"Costs, refusals, funnel: {plan['plan_id']}",
        columns(
            part(f"costs by kind, {currency}", bar_rows(cost_rows) + quiet(cost_text)),
            part("refused by the guard", bar_rows(refused, "--down")),
        ),
        columns(
            part("from bars to fills", _funnel(funnel, plan)),
            part("setups dropped, by reason", _drops(funnel, plan)),
        ),
        columns(
            part("inside and outside news", _news(plan)),
            part("which extreme of a bar came first", _ambiguous(plan)),
        ),
        plan_id=str(plan["plan_id"]),
    )


def _funnel(funnel: Summary, plan: Summary) -> str:
    """Return the steps that narrow: bars are counted apart, they are no ideas to trade."""
    steps = [(n, v) for n, v in funnel.items() if _is_number(v) and n not in ("bars", "in_window")]
    steps = [(name, value) for name, value in steps if value]
    rows, before = [], None
    for name, value in steps:
        share = f" ({number(100 * value / before, 0)} %)" if before and value <= before else ""
        rows.append((_named(plan, name), float(value), number(value, 0) + share))
        before = value
    if not rows:
        return quiet("this strategy counts no steps")
    bars = quiet(
        ", ".join(
            f"{_named(plan, name)} {number(funnel[name], 0)}"
            for name in ("bars", "in_window")
            if _is_number(funnel.get(name))
        )
    )
    drop = plan.get("funnel_drop") or {}
    text = f"<p>{escape(_sentence(str(drop['text'])))}.</p>" if drop.get("text") else ""
    return bars + bar_rows(rows) + text


def _named(plan: Summary, code: str) -> str:
    """Return a funnel's step or drop reason in plain words."""
    return str((plan.get("funnel_names") or {}).get(code) or code.replace("_", " "))


def _drops(funnel: Summary, plan: Summary) -> str:
    dropped = funnel.get("dropped") or {}
    rows = sorted(dropped.items(), key=lambda item: -item[1])
    lines = [(_named(plan, reason), float(n), number(n, 0)) for reason, n in rows if n]
    return bar_rows(lines, "--down") if lines else ""


def _news(plan: Summary) -> str:
    news = plan.get("news")
    if not news:
        return ""
    rows = []
    for name in ("inside", "outside"):
        of = news.get(name) or {}
        low, high = of.get("expectancy_ci95") or (None, None)
        rows.append(
            [
                name,
                number(of.get("trades"), 0),
                number(_percent(of.get("win_rate")), 1, " %"),
                number(of.get("expectancy_r"), 2, " R"),
                f"{number(low)} … {number(high)}" if low is not None else "–",
                cell(number(of.get("net_profit"), 0), signed_class(of.get("net_profit"))),
            ]
        )
    text = (
        f"Inside: open within {number(news.get('minutes_before'), 0)} minutes before and "
        f"{number(news.get('minutes_after'), 0)} after one of {number(news.get('events'), 0)} "
        f"{news.get('impact')}-impact events ({', '.join(news.get('currencies') or [])})."
    )
    if news.get("not_covered"):
        text += f" {plural(news['not_covered'], 'trade')} outside the list's dates."
    return table(["", "trades", "winners", "mean", "95 %", "net"], rows) + quiet(text)


def _ambiguous(plan: Summary) -> str:
    """Return the band of net profit and the trades that hang on the order of extremes."""
    band, found = plan.get("band") or {}, plan.get("ambiguous")
    count = plan.get("ambiguous_trades")
    parts = []
    if band and band.get("worst") == band.get("best"):
        parts.append(quiet("Each reading of the bars gives the same net profit."))
    elif band:
        parts.append(
            f"<p>Net profit by other readings: <b>{number(band.get('worst'))}</b> … "
            f"<b>{number(band.get('best'))}</b> {escape(str(plan.get('currency', '')))}.</p>"
        )
    if count is not None:
        parts.append(quiet(f"{plural(int(count), 'trade')} would have had other fills."))
    if found:
        zone = zone_of(plan)
        rows = [
            [
                _trade_link(int(trade["trade_id"])),
                cell(local_time(trade.get("entry_time"), zone), "text"),
                cell(str(trade.get("side", "")), "text"),
                number(trade.get("r_multiple"), 2),
                cell(number(trade.get("pnl")), signed_class(trade.get("pnl"))),
                cell(str(trade.get("exit_reason") or ""), "text"),
            ]
            for trade in found[:12]
        ]
        parts.append(table(["trade", f"entry, {zone}", "side", "R", "P&L", "exit by"], rows))
        if len(found) > len(rows):
            parts.append(quiet(f"and {len(found) - len(rows)} more: filter ambiguous = yes"))
    return "".join(parts)


def _trade_link(trade_id: int) -> Cell:
    return Cell(f'<td><a href="#trade={trade_id}">{trade_id}</a></td>')


def trades_section() -> str:
    """Return the frame of chart, filters, figures, table and groups; the page's script fills it."""
    return _filters() + _chart_frame() + _table_frame() + _groups_frame()


def _select(name: str, label: str, options: Iterable[str]) -> str:
    items = "".join(f"<option>{escape(text)}</option>" for text in options)
    return (
        f'<label>{label} <select id="filter-{name}"><option value="any">all</option>{items}'
        "</select></label>"
    )


def _filters() -> str:
    dates = "".join(
        f'<label>{label} <input type="date" id="filter-{name}"></label>'
        for name, label in (("from", "entered from"), ("to", "to"))
    )
    in_r = "".join(
        f'<label>{label} <input type="number" step="0.25" id="filter-{name}"></label>'
        for name, label in (("rmin", "R from"), ("rmax", "to"))
    )
    boxes = (
        _select("plan", "plan", ())
        + _select("side", "side", ("long", "short"))
        + _select("pattern", "pattern", ())
        + _select("exit", "exit by", ())
        + _select("result", "result", ("won", "lost", "even"))
        + _select("ambiguous", "ambiguous", ("yes", "no"))
        + dates
        + in_r
    )
    return (
        '<section id="trades-section"><h2>Trades</h2>'
        f'<div class="row filters screen" role="group" aria-label="filters">{boxes}'
        '<button type="button" id="filter-clear">clear</button>'
        '<button type="button" id="trades-csv" title="the trades shown, as in trades.csv">CSV'
        "</button></div>"
        '<p class="quiet" id="filter-count" aria-live="polite"></p>'
        '<div class="cards" id="figures"></div></section>'
    )


def _chart_frame() -> str:
    toggles = "".join(
        f'<button id="show-{name}" aria-pressed="true">{name}</button>'
        for name in ("zones", "trades", "refused")
    )
    return (
        '<section id="price-frame"><div class="row"><h2 id="price-title">Price</h2>'
        '<span class="quiet" id="price-zone"></span><span class="spacer"></span>'
        f'<span class="row screen">{toggles}<button id="whole-file">all bars</button>'
        '<button id="last-bars">last trade</button>'
        '<button id="previous-trade" title="key p">‹ previous</button>'
        '<button id="next-trade" title="key n">next ›</button></span></div>'
        '<div class="bench"><div><div class="stack"><canvas id="price"></canvas>'
        '<canvas id="price-overlay" tabindex="0" role="img" aria-label="candles with zones and '
        "trades; arrow keys move, plus and minus zoom, n and p go through the trades"
        '"></canvas></div><div class="readout screen" id="price-readout"></div>'
        '<div class="row kinds screen" id="zone-kinds"></div></div>'
        '<aside id="detail" aria-live="polite"><p class="quiet">A click on a trade, in the chart '
        "or in the table, shows how it went. Keys: n next, p previous.</p></aside></div>"
        '<p class="quiet screen">Dragging moves; once the chart is clicked the wheel zooms (else '
        "ctrl and wheel, or pinch); a double click goes to the last trade. A zone begins on the "
        "bar after the close at which it became known. "
        "Triangle: entry; dots: exits; S: the setup's bar; diamond: a setup not taken."
        "</p></section>"
    )


def _table_frame() -> str:
    return (
        '<section><div class="scroll" id="trades" tabindex="0" role="region" aria-label="trades; '
        'arrow keys choose"><table id="trade-table"><thead id="trade-head"></thead>'
        '<tbody id="trade-rows"></tbody></table></div></section>'
    )


def _groups_frame() -> str:
    return (
        '<section id="groups-section"><h2>Results of the trades shown</h2><div class="columns">'
        '<div class="part"><h3>R-multiples, net of costs</h3><div id="histogram"></div></div>'
        '<div class="part"><h3 id="sum-title"></h3><canvas class="sum" id="sum-chart" role="img" '
        'aria-label="running sum of the trades shown"></canvas>'
        '<div class="readout screen" id="sum-readout"></div></div></div>'
        '<div class="columns" id="groups"></div></section>'
    )


def details_section(run_text: str, summary: Summary) -> str:
    """Return all that is needed to run it again."""
    seconds = ", ".join(
        f"{name} {number(value, 1)} s" for name, value in (summary.get("seconds") or {}).items()
    )
    took = quiet(f"Time taken: {seconds}.") if seconds else ""
    return (
        '<section id="run"><details><summary>What was run: settings with their origin, data, '
        f"versions</summary>{took}<pre>{escape(run_text)}</pre></details></section>"
    )
