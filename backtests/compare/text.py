"""A comparison of runs as lines for people: what differs, key figures, trades, how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from backtests.results.summary_text import money, signed

Document = Mapping[str, Any]

FEW_ROWS = 4
"""Trades shown of each kind; the page and --json show more."""

_WIDEST = 28


def comparison_lines(document: Document, columns: int) -> list[str]:
    """Return the comparison in lines of at most `columns` characters where tables allow it."""
    labels = [run["label"] for run in document["runs"]]
    lines = [f"{labels[0]} (base) against {', '.join(labels[1:])}"]
    lines += [f"note: {note}" for note in document["notes"]]
    lines += _differences(document, labels, columns)
    several = len(document["plans"]) > 1
    for plan in document["plans"]:
        title = f"{plan['plan']} {plan['instrument']}" if several else "figures"
        lines += ["", *_figures(plan, labels, title, columns)]
        for pair in plan["pairs"]:
            lines += ["", *_pair_lines(plan, pair, labels[0])]
    return lines


def verdict_lines(document: Document) -> list[str]:
    """Return what `--quiet` leaves: what each pair shows."""
    return [
        f"{pair['run']} against {document['base']}: {plan['plan']}: {text}"
        for plan in document["plans"]
        for pair in plan["pairs"]
        for text in _paired_lines(plan, pair)
    ]


def _differences(document: Document, labels: Sequence[str], columns: int) -> list[str]:
    if not document["differs"]:
        return ["nothing differs in settings, parameters, data or code"]
    rows = [
        [row["name"], *(setting_text(value) for value in row["values"])]
        for row in document["differs"]
    ]
    return ["", *table(["what differs", *labels], rows, columns)]


def setting_text(value: Any) -> str:
    """Return a setting's value as one short text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "none"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _figures(plan: Document, labels: Sequence[str], title: str, columns: int) -> list[str]:
    rows = []
    for figure in plan["figures"]:
        cells = [figure_text(value, figure["unit"]) for value in figure["values"]]
        if len(labels) == 2:
            cells.append(change_text(figure["changes"][1], figure["unit"]))
        rows.append([figure["text"], *cells])
    intervals = [_interval(found) for found in plan["expectancy_ci95"]]
    after = [""] if len(labels) == 2 else []
    if any(intervals):
        place = next((i for i, row in enumerate(rows) if row[0] == "mean trade"), len(rows) - 1)
        rows.insert(place + 1, ["  95 %", *intervals, *after])
    rows.append(["verdict", *(str(text) for text in plan["verdicts"]), *after])
    return table([title, *labels, *(["change"] if after else [])], rows, columns)


def _interval(found: Sequence[float] | None) -> str:
    return "" if not found else f"[{signed(found[0])}, {signed(found[1])}]"


def figure_text(value: float | None, unit: str) -> str:
    """Return a figure with its unit."""
    if value is None:
        return "-"
    if unit == "count":
        return f"{value:,.0f}"
    if unit in ("%", "x", "R"):
        return f"{value:,.{1 if unit == '%' else 2}f}" + ("" if unit == "x" else f" {unit}")
    if unit.startswith("paid "):
        return money(value, unit.removeprefix("paid ")).removeprefix("+")
    return money(value, unit)


def change_text(change: float | None, unit: str) -> str:
    """Return by how much a figure changed, with its sign; nothing where it did not."""
    if not change:
        return ""
    if unit == "count":
        return f"{change:+,.0f}"
    if unit in ("%", "x", "R"):
        text = f"{change:+,.{1 if unit == '%' else 2}f}"
        words = {"x": "", "%": " pts"}.get(unit, f" {unit}")
        return text + words if text.strip("+-0.") else ""
    return money(change, unit.removeprefix("paid "))


# -- trades ----------------------------------------------------------------------------------


def _pair_lines(plan: Document, pair: Document, base: str) -> list[str]:
    zone, currency = ZoneInfo(plan["zone"]), plan["currency"]
    lines = [pair_text(plan, pair, base)]
    for name, rows in ((base, "trades_only_base"), (pair["run"], "trades_only_other")):
        count = pair["only_base" if rows == "trades_only_base" else "only_other"]
        shown = [
            f"  only {name}: {entry_text(row, zone)}  {exit_text(row, row, zone, currency)}"
            for row in pair[rows][:FEW_ROWS]
        ]
        lines += [*shown, *_more(count - len(shown))]
    shown = []
    for row in pair["trades_differing"][:FEW_ROWS]:
        was, came = (
            exit_text(row[side], row["base"], zone, currency) for side in ("base", "other")
        )
        shown.append(f"  {entry_text(row['base'], zone)}: {was} -> {came}")
    lines += [*shown, *_more(pair["differing"] - len(shown))]
    return lines + _paired_lines(plan, pair)


def pair_text(plan: Document, pair: Document, base: str) -> str:
    """Return how many trades two runs share, and what the others earned."""
    currency = plan["currency"]
    return (
        f"trades of {pair['run']} against {base}: {pair['both']:,} in both "
        f"({_otherwise(pair)}), {pair['only_base']:,} only in {base} "
        f"({money(pair['only_base_pnl'], currency)}), {pair['only_other']:,} only in {pair['run']} "
        f"({money(pair['only_other_pnl'], currency)})"
    )


def _otherwise(pair: Document) -> str:
    if not pair["differing"]:
        return "all alike"
    return (
        f"{pair['differing']:,} of them came out otherwise: {pair['differing_exit']:,} in their "
        f"exit, {pair['differing_quantity']:,} in size"
    )


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  ... and {count:,} more"


def _paired_lines(plan: Document, pair: Document) -> list[str]:
    lines = []
    trades, days = pair["common_trades"], pair["days"]
    if trades:
        unit = plan["currency"] if trades["unit"] == "money" else trades["unit"]
        lines.append(f"common trades: {_mean_text(trades, unit, 'trades')}")
    if days:
        lines.append(f"all trades, by day: {_mean_text(days, '%', 'trading days', 4)}")
    return lines


def _mean_text(found: Document, unit: str, what: str, digits: int = 3) -> str:
    interval = found["ci95"]
    edges = f" [{interval[0]:+.{digits}f}, {interval[1]:+.{digits}f}]" if interval else ""
    mean = f"{found['mean']:+.{digits}f} {unit}"
    return f"mean change {mean}{edges} over {found['count']:,} {what}: {found['shows']}"


def _local(stamp: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(zone)


def entry_text(row: Document, zone: ZoneInfo) -> str:
    """Return when a trade began, market time, and its side."""
    return f"{_local(row['entry_bar'], zone):%Y-%m-%d %H:%M} {row['side']}"


def exit_text(row: Document, beside: Document, zone: ZoneInfo, currency: str) -> str:
    """Return quantity, prices, exit and result; the date where it is not the entry's."""
    left, entered = _local(row["exit_time"], zone), _local(beside["entry_bar"], zone)
    when = f"{left:%H:%M}" if left.date() == entered.date() else f"{left:%Y-%m-%d %H:%M}"
    r_multiple = row["r_multiple"]
    result = money(row["pnl"], currency) + (f" {signed(r_multiple)} R" if r_multiple else "")
    return (
        f"{row['quantity']:g} @ {row['entry_price']:.10g} out {when} @ {row['exit_price']:.10g} "
        f"{row['exit_reason']} {result}"
    )


# -- tables ----------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return a table, first column left and the rest right; too wide, in several below another."""
    cut = [[head[0], *(_short(cell) for cell in head[1:])]]
    cut += [[row[0], *(_short(cell) for cell in row[1:])] for row in rows]
    widths = [max(len(row[place]) for row in cut) for place in range(len(head))]
    lines: list[str] = []
    for part in _parts(widths, columns):
        for row in cut:
            cells = [row[0].ljust(widths[0]), *(row[place].rjust(widths[place]) for place in part)]
            lines.append("  ".join(cells).rstrip())
    return lines


def _short(cell: str) -> str:
    return cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 3]}..."


def _parts(widths: Sequence[int], columns: int) -> Iterator[list[int]]:
    """Yield the places of the columns that fit beside the first one, at least one at a time."""
    part: list[int] = []
    used = widths[0]
    for place in range(1, len(widths)):
        if part and used + 2 + widths[place] > columns:
            yield part
            part, used = [], widths[0]
        part.append(place)
        used += 2 + widths[place]
    yield part
