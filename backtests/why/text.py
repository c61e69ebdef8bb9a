"""An explained bar, or a day of bars, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtests.results.funnel_text import cancel_text, drop_text
from strategies.sight import price_text, span_text

Found = Mapping[str, Any]

MOST_LEVELS, MOST_ZONES = 8, 6
"""How many are shown, nearest to the close first; `--json` has all."""

_WIDTH = 9
_INDENT = " " * _WIDTH


def bar_lines(bar: Found) -> list[str]:
    """Return an explained bar: what it did, what stood, why no entry, what it would have taken."""
    prices = "  ".join(f"{name[0].upper()} {price_text(bar[name])}" for name in _PRICES)
    atr = f"  ATR {price_text(bar['atr'])}" if bar["atr"] == bar["atr"] and bar["atr"] else ""
    return [
        f"bar {bar['time']} to {bar['end_time']}  {prices}{atr}",
        *_part("answer", [_answer(bar)]),
        *_part("here", _here(bar)),
        *_part("did", bar["events"]),
        *_part("machine", [f"{item['name']}: {item['text']}" for item in bar["patterns"]]),
        *_part("levels", _levels(bar["levels"])),
        *_part("zones", _zones(bar["zones"])),
        *_part("filters", _filters(bar)),
        *_part("needed", _needs(bar)),
    ]


_PRICES = ("open", "high", "low", "close")


def _part(title: str, texts: Sequence[str]) -> list[str]:
    return [
        f"{title.ljust(_WIDTH) if place == 0 else _INDENT}{text}"
        for place, text in enumerate(texts)
    ]


def _needs(bar: Found) -> list[str]:
    """Return what the bar's setups needed, and what each pattern needs next."""
    setups = [f"this {item['side']} setup: {item['needed']}" for item in bar["setups"]]
    waiting = [item for item in bar["patterns"] if item["needs"]]
    return [*setups, *(f"{item['name']}, next: {'; '.join(item['needs'])}" for item in waiting)]


def _answer(bar: Found) -> str:
    """Return in one sentence why the bar ended without an entry, or with one."""
    if bar["setups"]:
        return "; ".join(setup_text(setup) for setup in bar["setups"])
    if bar["stopped"]:
        return f"no setup: {bar['stopped']}"
    if bar["patterns"]:
        return "no setup"
    refused = [order for order in bar["orders"] if order["rule"]]
    if refused:
        return f"{order_text(refused[-1])} was refused{_why(refused[-1])}"
    if bar["orders"] or bar["fills"]:
        return "the strategy sent or held orders here (its own reasons are not known)"
    return "the strategy sent no order here; its own code decides that"


def setup_text(setup: Found) -> str:
    """Return a setup and its fate."""
    text = (
        f"{setup['side']} setup ({setup['pattern']}): entry {price_text(setup['entry'])}, stop "
        f"{price_text(setup['stop'])}, target {price_text(setup['target'])}"
    )
    if setup["taken"]:
        filled = setup["filled"]
        if filled:
            return f"{text}: sent, filled at {price_text(filled['price'])} by {filled['by']}"
        why = f", not filled: {cancel_text(setup['cancel'])}" if setup["cancel"] else ""
        return f"{text}: sent{why}"
    text = f"{text}: not taken, {drop_text(setup['reason'])}"
    if setup["cash_needed"]:
        text += f" (one lot takes {setup['cash_needed']:,.0f} {setup['currency']} of equity)"
    return text


def _here(bar: Found) -> list[str]:
    """Return orders, fills, position and limits at the bar."""
    texts = [fill_text(fill) for fill in bar["fills"]]
    done = {"submitted": "sent at the close", "canceled": "cancelled", "refused": "refused"}
    for order in bar["orders"]:
        if order["state"] in ("accepted", "filled"):
            continue  # accepted says nothing more than sent; fills are told above
        if order["role"] != "entry" and order["state"] in ("submitted", "canceled"):
            continue  # its stop and target come and go with it
        texts.append(f"{order_text(order)} {done.get(order['state'], order['state'])}{_why(order)}")
    position = bar["position"]
    if position:
        texts.append(
            f"in a position: {position['side']} {position['quantity']:g} from "
            f"{price_text(position['entry_price'])} since {position['since']}"
            + (f", first stop {price_text(position['stop'])}" if position["stop"] else "")
            + (f", target {price_text(position['target'])}" if position["target"] else "")
        )
    fresh = {order["order_id"] for order in bar["orders"] if order["state"] == "submitted"}
    texts += [
        f"{order_text(order)} working" for order in bar["working"] if order["order_id"] not in fresh
    ]
    return texts or ["flat, no entry at work"]


def fill_text(fill: Found) -> str:
    """Return a fill in words."""
    return (
        f"filled: {fill['side']} {fill['quantity']:g} at {price_text(fill['price'])} "
        f"({str(fill['reason']).replace('_', ' ')})"
    )


def order_text(order: Found) -> str:
    """Return an order in words."""
    price = order["price"]
    at = f" at {price_text(price)}" if price is not None and order["kind"] != "Market" else ""
    return f"{order['role'] or 'order'} {order['side']} {order['quantity']:g} {order['kind']}{at}"


def _why(order: Found) -> str:
    if not order["rule"]:
        return ""
    text = f" by {str(order['rule']).replace('_', ' ')}"
    if order["limit"] is not None and order["value"] is not None:
        text += f": {order['value']:g} against a limit of {order['limit']:g}"
    return text + (f" ({order['reason']})" if order["reason"] else "")


def _levels(levels: Sequence[Found]) -> list[str]:
    shown = [
        f"{level['name']} {level['side']} {price_text(level['price'])} {level['state']}"
        for level in levels[:MOST_LEVELS]
    ]
    left = len(levels) - len(shown)
    return [*shown, *([f"and {left} farther away"] if left > 0 else [])]


def _zones(zones: Sequence[Found]) -> list[str]:
    shown = [
        f"{zone['side']} {zone['kind']} {span_text(zone['bottom'], zone['top'])} of "
        f"{zone['born']}, {zone['state']}"
        for zone in zones[:MOST_ZONES]
    ]
    left = len(zones) - len(shown)
    return [*shown, *([f"and {left} farther away"] if left > 0 else [])]


def _filters(bar: Found) -> list[str]:
    texts = [f"{item['name']}: {item['text']}{_sides(item)}" for item in bar["filters"]]
    limits = bar["limits"]
    share = limits["max_spread_risk"]
    spread = f"spread {price_text(bar['spread'])}"
    texts.append(f"{spread}, may be {100 * share:g} % of a setup's risk" if share else spread)
    today = f"entries today {bar['entries_today']}"
    if limits["max_trades_day"]:
        today += f" of {limits['max_trades_day']}"
    if limits["max_losses_row"]:
        today += f", losses in a row {bar['losses_row']} of {limits['max_losses_row']}"
    locked = ", ".join(str(rule).replace("_", " ") for rule in bar["locks"])
    texts.append(f"{today}; {'locked by ' + locked if locked else 'not locked'}")
    if bar["rules"]:
        texts.append(f"account's rules: {'; '.join(bar['rules'])}")
    news = bar["news"]
    if news:
        minutes = abs(news["minutes"])
        apart = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
        way = "in" if news["minutes"] > 0 else "ago:"
        texts.append(f"news: {news['currency']} {news['name']} {way} {apart} ({news['time']})")
    return texts


def _sides(item: Found) -> str:
    long_ok, short_ok = item["long_ok"], item["short_ok"]
    if long_ok is None:
        return ""
    if long_ok and short_ok:
        return ": longs and shorts pass"
    if not (long_ok or short_ok):
        return ": no side passes"
    return ": longs pass, shorts do not" if long_ok else ": shorts pass, longs do not"


def day_lines(rows: Sequence[Found]) -> list[str]:
    """Return a day's bars; those that follow each other with the same answer are one line."""
    lines: list[str] = []
    begin = 0
    for place in range(1, len(rows) + 1):
        if place < len(rows) and _said(rows[place]) == _said(rows[begin]) != "":
            continue
        lines.append(_day_line(rows[begin:place]))
        begin = place
    return lines


def _said(row: Found) -> str:
    """Return what a bar of a day's list says; "" where it stands on a line of its own."""
    if row["setups"] or row["fills"] or row["refused"]:
        return ""
    state = f"in a {row['in_position']} position; " if row["in_position"] else ""
    if row["working"]:
        state += "an entry works; "
    if row["locks"]:
        state += "locked; "
    return f"{state}{row['stopped'] or 'nothing'}"


def _day_line(rows: Sequence[Found]) -> str:
    first, last = rows[0], rows[-1]
    clock = first["time"][11:] if first["on_day"] else first["time"][5:]
    span = clock if len(rows) == 1 else f"{clock}-{last['time'][11:]}"
    count = f"{len(rows)} bars" if len(rows) > 1 else ""
    if len(rows) > 1 or _said(first):
        return f"  {span:<18}{count:>8}  {_said(first)}"
    told = [setup_text(setup) for setup in first["setups"]]
    told += [fill_text(fill) for fill in first["fills"]]
    told += [f"{order_text(order)} refused{_why(order)}" for order in first["refused"]]
    return f"  {span:<18}{count:>8}  {'; '.join(told)}"
