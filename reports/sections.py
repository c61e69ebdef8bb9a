"""The sections of the report page, as HTML text. All values pass through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from reports.tables import (
    calendar_months,
    daily_pnl,
    group_results,
    hour_results,
    limit_headroom,
    r_histogram,
)

DASH = "–"


def number(value: Any, decimals: int = 2, suffix: str = "") -> str:
    """Return a number for people, or a dash where there is none."""
    if value is None or value != value:
        return DASH
    return f"{value:,.{decimals}f}{suffix}"


def signed_class(value: Any) -> str:
    """Return the colour class of a profit or loss."""
    if value is None or value != value or value == 0:
        return ""
    return "up" if value > 0 else "down"


def card(label: str, text: str, colour: str = "") -> str:
    """Return one key figure."""
    return (
        f'<div class="card"><b class="{colour}">{escape(text)}</b>'
        f"<span>{escape(label)}</span></div>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain table; the first column is text."""
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def section(title: str, *parts: str, plan_id: str | None = None) -> str:
    """Return a titled section, tied to a plan's button where plan_id is given."""
    tie = f' data-plan="{escape(plan_id, quote=True)}"' if plan_id else ""
    return f"<section{tie}><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def bar_rows(
    rows: Iterable[tuple[str, float, str]], colour: str = "--accent", full: float | None = None
) -> str:
    """Return labelled horizontal bars; lengths are shares of `full`, else of the longest."""
    items = list(rows)
    longest = full or max((abs(value) for _, value, _ in items), default=0.0) or 1.0
    cells = "".join(
        f"<span>{escape(label)}</span>"
        f'<span class="bar" style="width:{min(100.0, 100 * abs(value) / longest):.1f}%;'
        f'background:var({colour})"></span><span>{escape(text)}</span>'
        for label, value, text in items
    )
    return f'<div class="bars">{cells}</div>' if items else '<p class="quiet">none</p>'


def notices(summary: Mapping[str, Any]) -> str:
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
    return "".join(f'<p class="notice">{escape(text)}</p>' for text in found)


def accounts_overview(summary: Mapping[str, Any]) -> str:
    """Return one line of key figures per account."""
    rows = [
        [
            str(account["account"]),
            ", ".join(account.get("plans", [])),
            f"{number(account.get('cash_start'), 0)} {account.get('currency', '')}",
            number(account.get("net_profit")),
            number(account.get("return_pct"), 2, " %"),
            number(account.get("max_drawdown_pct"), 2, " %"),
        ]
        for account in summary.get("accounts", [])
    ]
    head = ["account", "plans", "cash", "net profit", "return", "max drawdown"]
    return section("Accounts", table(head, rows)) if len(rows) > 1 else ""


def plan_cards(plan: Mapping[str, Any], currency: str) -> str:
    """Return a plan's key figures and its verdict."""
    net = plan.get("net_profit")
    band = plan.get("band") or {}
    ci = plan.get("expectancy_ci95") or [None, None]
    cards = [
        card("trades", number(plan.get("trades"), 0)),
        card(f"net profit {currency}", number(net), signed_class(net)),
        card("return", number(plan.get("return_pct"), 2, " %"), signed_class(net)),
        card("max drawdown", number(plan.get("max_drawdown_pct"), 2, " %")),
        card("winners", number(_percent(plan.get("win_rate")), 1, " %")),
        card("expectancy R", number(plan.get("expectancy_r"))),
        card("95 % interval R", f"{number(ci[0])} … {number(ci[1])}"),
        card("profit factor", number(plan.get("profit_factor"))),
        card("Sharpe", number(plan.get("sharpe"))),
        card("Sortino", number(plan.get("sortino"))),
        card("Calmar", number(plan.get("calmar"))),
        card("ambiguous trades", number(plan.get("ambiguous_trades"), 0)),
    ]
    if band:
        text = f"{number(band.get('worst'), 0)} … {number(band.get('best'), 0)}"
        cards.append(card("net profit, intrabar band", text))
    verdict = plan.get("verdict")
    line = f'<p class="notice">{escape(str(verdict))}</p>' if verdict else ""
    where = (
        f"{plan.get('strategy')} · {plan.get('instrument')} · {plan.get('timeframe')} · "
        f"{plan.get('bars')} bars, {plan.get('first')} to {plan.get('last')}"
    )
    return f'<p class="quiet">{escape(where)}</p><div class="cards">{"".join(cards)}</div>{line}'


def _percent(share: Any) -> Any:
    return None if share is None else share * 100


def plan_buttons() -> str:
    """Return the row of plan buttons; the page's script fills it."""
    return '<div class="row screen" id="plan-buttons"></div>'


def chart_section() -> str:
    """Return the price chart's frame; the page's script fills it."""
    return (
        '<section><div class="row screen"><h2>Price</h2><span class="spacer"></span>'
        '<button id="show-zones" aria-pressed="true">zones</button>'
        '<button id="show-trades" aria-pressed="true">trades</button>'
        '<button id="previous-trade">‹ trade</button><button id="next-trade">trade ›</button>'
        '<button id="whole-file">whole file</button></div>'
        '<canvas id="price" role="img" aria-label="candles with zones and trades"></canvas>'
        '<div class="readout" id="price-readout"></div>'
        '<p class="quiet">Wheel or pinch zooms, dragging moves, a double click goes to the '
        "last trade. A zone begins on the bar after the close at which it became known. "
        "Triangle: entry. Dots: exits. Green and red boxes: target and stop.</p></section>"
    )


def equity_section(summary: Mapping[str, Any]) -> str:
    """Return the frames of the equity curves."""
    parts = []
    for account in summary.get("accounts", []):
        name = escape(str(account["account"]), quote=True)
        parts.append(
            f"<h3>{name} ({escape(str(account.get('currency', '')))}): equity and drawdown</h3>"
            f'<canvas class="equity" id="equity-{name}" role="img" aria-label="equity curve">'
            f'</canvas><div class="readout" id="equity-readout-{name}"></div>'
        )
    return section("Equity", *parts)


def calendar_section(account: str, days: Any, currency: str) -> str:
    """Return a P&L calendar of one account, newest month first."""
    months = calendar_months(daily_pnl(days))
    worst = max((abs(day["pnl"]) for month in months for day in month["days"]), default=1.0) or 1.0
    parts = []
    for month in months:
        cells = [_day_cell(day, worst, currency) for day in month["days"]]
        total = f'<span class="{signed_class(month["pnl"])}">{number(month["pnl"], 0)}</span>'
        parts.append(
            f'<div class="month"><h3>{month["month"]} {total}</h3>'
            f'<div class="grid">{"".join(cells)}</div></div>'
        )
    return section(
        f"Daily profit and loss, {account} ({currency})",
        f'<div class="months">{"".join(parts)}</div>',
    )


def _day_cell(day: Mapping[str, Any], worst: float, currency: str) -> str:
    """Return one day of the calendar, placed under its weekday and tinted by its result."""
    pnl = float(day["pnl"])
    tint = ""
    if pnl:
        strength = 18 + 62 * min(1.0, abs(pnl) / worst)
        name = "--up" if pnl > 0 else "--down"
        tint = f"background:color-mix(in srgb, var({name}) {strength:.0f}%, var(--paper));"
    place = f"grid-column:{day['weekday'] + 1}"
    kind = "day traded" if pnl else "day"
    title = f"{number(pnl)} {currency}"
    return f'<span class="{kind}" style="{tint}{place}" title="{escape(title)}">{day["day"]}</span>'


def histogram_svg(bins: Sequence[Mapping[str, float]]) -> str:
    """Return the R histogram as inline SVG."""
    if not bins:
        return '<p class="quiet">no trade with a stop</p>'
    width, height, foot = 560, 170, 22
    step = width / len(bins)
    most = max(bin_["count"] for bin_ in bins)
    shapes = []
    for i, bin_ in enumerate(bins):
        tall = bin_["count"] / most * (height - foot - 16)
        colour = "--up" if bin_["from"] >= 0 else "--down"
        x, y = i * step + 1, height - foot - tall
        shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(step - 2, 1):.1f}" height="{tall:.1f}" '
            f'fill="var({colour})"><title>{bin_["from"]:g} to {bin_["to"]:g} R: '
            f"{bin_['count']} trades</title></rect>"
        )
        if bin_["count"]:
            shapes.append(
                f'<text x="{x + step / 2 - 1:.1f}" y="{y - 3:.1f}" text-anchor="middle">'
                f"{bin_['count']}</text>"
            )
        if abs(bin_["from"] - round(bin_["from"])) < 1e-9:
            shapes.append(f'<text x="{i * step:.1f}" y="{height - 6}">{bin_["from"]:.0f} R</text>')
    return f'<svg viewBox="0 0 {width} {height}" width="100%">{"".join(shapes)}</svg>'


def results_section(plan: Mapping[str, Any], trades: Any, zone: str) -> str:
    """Return the R histogram and results by pattern, exit, side and hour."""
    head = ["", "trades", "winners", "mean R", "net"]

    def rows(groups: Iterable[Mapping[str, Any]]) -> list[list[str]]:
        return [
            [
                str(g["name"]),
                number(g["trades"], 0),
                number(g["win_rate"] * 100, 1, " %"),
                number(g["mean_r"]),
                number(g["pnl"], 0),
            ]
            for g in groups
        ]

    parts = [f"<div><h3>R-multiples</h3>{histogram_svg(r_histogram(trades['r_multiple']))}</div>"]
    for title, column in (
        ("by pattern", "pattern"),
        ("by exit", "exit_reason"),
        ("by side", "side"),
    ):
        parts.append(
            f"<div><h3>{title}</h3>{table(head, rows(group_results(trades, column)))}</div>"
        )
    by_hour = rows(hour_results(trades, zone))
    parts.append(f"<div><h3>by hour of entry, {escape(zone)}</h3>{table(head, by_hour)}</div>")
    return section(
        "Results", f'<div class="columns">{"".join(parts)}</div>', plan_id=str(plan["plan_id"])
    )


def costs_section(plan: Mapping[str, Any], funnel: Mapping[str, Any], currency: str) -> str:
    """Return costs by kind, refusals by rule and the funnel from bars to fills."""
    costs = [
        (kind, float(value), number(value)) for kind, value in (plan.get("costs") or {}).items()
    ]
    refused = [
        (rule, float(count), number(count, 0))
        for rule, count in (plan.get("refused") or {}).items()
    ]
    steps = [
        (name, float(count), number(count, 0))
        for name, count in funnel.items()
        if isinstance(count, int | float)
    ]
    drops = [
        (reason, float(count), number(count, 0))
        for reason, count in (funnel.get("dropped") or {}).items()
    ]
    parts = (
        f"<div><h3>costs ({escape(currency)})</h3>{bar_rows(costs)}</div>"
        f"<div><h3>refused by the guard</h3>{bar_rows(refused, '--down')}</div>"
        f"<div><h3>from bars to fills</h3>{bar_rows(steps)}</div>"
        f"<div><h3>setups dropped, by reason</h3>{bar_rows(drops, '--down')}</div>"
    )
    return section(
        "Costs, refusals, funnel",
        f'<div class="columns">{parts}</div>',
        plan_id=str(plan["plan_id"]),
    )


def headroom_section(account: str, days: Any, currency: str) -> str:
    """Return how near each trading day came to the daily loss limit."""
    rows = limit_headroom(days)
    if not rows:
        return section(
            f"Limits, {account}", '<p class="quiet">No daily loss limit was in force.</p>'
        )
    nearest = sorted(rows, key=lambda row: row["headroom"])[:12]
    locked = sum(1 for row in rows if row["locked"])
    lines = [
        (
            row["day"] + (" locked" if row["locked"] else ""),
            max(row["limit"] - row["headroom"], 0.0) / row["limit"],
            f"{number(row['headroom'])} left of {number(row['limit'])}",
        )
        for row in nearest
    ]
    text = f"{len(rows)} trading days under a daily loss limit, {locked} of them locked by it."
    return section(
        f"Limits, {account} ({currency})",
        f"<p>{escape(text)}</p><h3>nearest days: share of the limit used</h3>",
        bar_rows(lines, "--down", full=1.0),
    )


def trades_section() -> str:
    """Return the trade table's frame with its filters."""
    select = '<label>{0} <select id="filter-{1}">{2}</select></label>'
    sides = '<option value="">all</option><option>long</option><option>short</option>'
    results = (
        '<option value="">all</option><option value="won">won</option>'
        '<option value="lost">lost</option><option value="ambiguous">ambiguous</option>'
    )
    filters = (
        select.format("side", "side", sides)
        + select.format("pattern", "pattern", "")
        + select.format("exit", "exit", "")
        + select.format("result", "result", results)
    )
    return (
        f'<section><h2>Trades</h2><div class="row screen">{filters}'
        '<span class="quiet" id="filter-count"></span></div>'
        '<div class="scroll" id="trades"><table><thead id="trade-head"></thead>'
        '<tbody id="trade-rows"></tbody></table></div></section>'
    )


def details_section(run_text: str) -> str:
    """Return all that is needed to run it again."""
    return (
        "<details><summary>What was run: settings with their origin, data, versions</summary>"
        f"<pre>{escape(run_text)}</pre></details>"
    )
