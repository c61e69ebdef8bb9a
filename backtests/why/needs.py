"""What a setup that was refused, or an entry that works, would have needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.wording import plural
from strategies.sight import price_text

Found = Mapping[str, Any]


def setup_needs(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    """Return what one setup of a bar needed: to be taken if it was refused, else to be filled.

    Parameters
    ----------
    setup, bar : as `why` shows them. values : the strategy's settings.
    """
    if setup["filled"]:
        return "nothing more: it was filled"
    if setup["taken"]:
        return _fill(setup, bar, values)
    say = _REFUSED.get(str(setup["reason"]))
    if say is not None:
        return say(setup, bar, values)
    rule = str(setup["reason"]).replace("_", " ")
    refused = [order for order in bar["orders"] if order["rule"] == setup["reason"]]
    if refused and refused[-1]["limit"] is not None and refused[-1]["value"] is not None:
        return f"{refused[-1]['value']:g} to be within the rule {rule}'s {refused[-1]['limit']:g}"
    return f"the rule {rule} to allow it"


def _fill(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    market = next(
        (o for o in bar["orders"] if o["kind"] == "Market" and o["role"] == "entry"), None
    )
    if market is not None:
        return "the next open: a market order"
    way = "down" if setup["side"] == "long" else "up"
    bars = values.get("order_bars") or values.get("ob_touch_bars")
    within = f" within {plural(bars, 'bar')} and" if bars else ""
    return (
        f"price to come {way} to {price_text(setup['entry'])}{within} before the target "
        f"{price_text(setup['target'])}"
    )


def _filter_text(bar: Found, name: str) -> str:
    return next((str(item["text"]) for item in bar["filters"] if item["name"] == name), "")


def _busy(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    return "no position and no entry at work"


def _locked(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    rules = ", ".join(rule.replace("_", " ") for rule in bar["locks"]) or "a risk rule"
    return f"a day not locked by {rules}"


def _max_trades(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    entries = plural(values["max_trades_day"], "entry", "entries")
    return f"fewer than {entries} that day (max_trades_day)"


def _losses(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    losses = plural(values["max_losses_row"], "loss", "losses")
    return f"fewer than {losses} in a row that day (max_losses_row)"


def _time(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    return f"another hour ({_filter_text(bar, 'time')})"


def _window(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    if values.get("entry_end"):
        return f"a close before {values['entry_end']} (entry_end)"
    return f"a bar that starts in {values.get('session')} (session)"


def _special(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    return "an ordinary session"


def _trend(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    side = "at or above" if setup["side"] == "long" else "at or below"
    return f"a close {side} the day's average ({_filter_text(bar, 'trend')})"


def _dollar(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    way = "falling" if setup["side"] == "long" else "rising"
    limit = values["dxy_threshold"]
    return f"a {way} dollar, or a correlation above {limit:g} ({_filter_text(bar, 'DXY')})"


def _spread(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    most = values["max_spread_risk"] * abs(setup["entry"] - setup["stop"])
    return f"a spread of {price_text(most)} or less, not {price_text(bar['spread'])}"


def _size(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    if setup["cash_needed"]:
        return (
            f"{setup['cash_needed']:,.0f} {setup['currency']} of equity for one lot at "
            f"risk_pct={values['risk_pct']:g}"
        )
    return f"room for one lot (risk_pct={values['risk_pct']:g}, max_quantity)"


def _opposite(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    return "no position to close (close_on_opposite)"


def _warmup(setup: Found, bar: Found, values: Mapping[str, Any]) -> str:
    return f"the first {plural(values['warmup'], 'bar')} to be over (warmup)"


_REFUSED = {
    "busy": _busy,
    "locked": _locked,
    "max_trades": _max_trades,
    "losses": _losses,
    "time": _time,
    "window": _window,
    "special": _special,
    "trend": _trend,
    "dxy": _dollar,
    "spread": _spread,
    "size_zero": _size,
    "opposite_close": _opposite,
    "warmup": _warmup,
}
"""What decides each refusal of the management layer; other codes are rules of the guard."""
