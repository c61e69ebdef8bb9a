"""The funnel in words: one line from ideas to fills, and why most were lost at its biggest drop."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from core.wording import plural

Counts = Mapping[str, Any]

STEPS = ("sweeps", "shifts", "zones", "setups", "armed", "filled")
"""Steps of ideas, widest first. `bars` and `in_window` count bars, not ideas, and stay apart."""

STEP_NAMES = {"shifts": "shifts", "in_window": "in window"}
BREAKOUT_NAMES = {"shifts": "breaks"}

DROP_NAMES = {
    "dxy": "DXY",
    "size_zero": "size below minimum",
    "risk_bounds": "risk out of bounds",
    "order_bars": "limit not reached in time",
    "target_first": "target reached first",
    "close_beyond_s": "close beyond the sweep",
    "choch": "structure turned back",
    "max_trades": "trades of the day used up",
    "losses": "losses in a row",
    "opposite_close": "closed by the opposite signal",
}
"""Reasons whose code is not plain; the others are shown as they are, without underscores."""

_WHY = {
    "no_zone": "the move left no open gap or order block on the cheap side to enter at",
    "no_retest": "a breaker formed, but price did not come back to its zone",
    "risk_bounds": "the stop would have lain nearer or farther than the allowed number of ATRs",
    "low_volume": "the bar's volume was not raised enough",
    "low_confidence": "the break was not convincing enough",
    "cooldown": "it came too soon after the last signal",
    "busy": "a position was open or another entry was working",
    "locked": "a risk rule had locked the account",
    "max_trades": "the day's number of trades was used up",
    "losses": "the day's losses in a row were used up",
    "time": "it came at an hour without entries (flat time, Friday, far from the kill zones)",
    "window": "it came outside the entry window",
    "special": "the session was a special one",
    "trend": "price stood on the wrong side of the day's average",
    "dxy": "the dollar index stood against it",
    "spread": "the spread was too wide for the risk",
    "size_zero": "the risk allowed less than one lot",
    "opposite_close": "it closed an opposite position instead of opening one",
    "warmup": "the warm-up was not over",
    "order_bars": "price did not come back to the limit in time",
    "target_first": "price ran to the target without coming back to the limit",
    "choch": "the structure turned against it before the fill",
    "close_beyond_s": "price closed beyond the sweep's extreme before the fill",
}
"""Why an idea was dropped, in a clause."""

_CANCELLED = {
    "time": "the hours of entries ended before the fill",
    "window": "the entry window ended before the fill",
}
"""Where a code of both lists means another thing for a working entry."""

_SETTINGS = {
    "no_zone": ("entry_mode",),
    "no_retest": ("max_retest_bars",),
    "risk_bounds": ("min_risk", "max_risk"),
    "low_volume": ("volume_threshold", "volume_required"),
    "low_confidence": ("min_confidence",),
    "cooldown": ("cooldown",),
    "max_trades": ("max_trades_day",),
    "losses": ("max_losses_row",),
    "time": ("flat_time", "friday_end", "killzones"),
    "window": ("entry_end", "session"),
    "trend": ("trend",),
    "dxy": ("dxy_threshold", "dxy"),
    "spread": ("max_spread_risk",),
    "size_zero": ("risk_pct",),
    "opposite_close": ("close_on_opposite",),
    "warmup": ("warmup",),
    "order_bars": ("order_bars", "ob_touch_bars"),
}
"""The settings that decide each reason; shown are those the strategy has."""

_BY_STEP = {
    "shifts": ("max_shift_bars", "disp_k", "abort_atr", "allow_bos", "max_bos_bars"),
}

_MACHINE_DROPS = {
    "zones": ("no_zone", "no_retest"),
    "setups": ("risk_bounds", "low_volume", "low_confidence", "cooldown"),
}


def drop_name(reason: str) -> str:
    """Return a reason as the funnel's line names it."""
    return DROP_NAMES.get(reason, reason.replace("_", " "))


def plain_names(funnel: Counts) -> dict[str, str]:
    """Return the funnel's steps and drop reasons in plain words, by their codes."""
    told = STEP_NAMES if "sweeps" in funnel else BREAKOUT_NAMES
    steps = {name: told.get(name, name.replace("_", " ")) for name in funnel if name != "dropped"}
    return steps | {reason: drop_name(reason) for reason in funnel.get("dropped", {})}


def drop_text(reason: str) -> str:
    """Return a reason as a clause of a sentence."""
    return _WHY.get(reason, f"refused by {reason.replace('_', ' ')}")


def cancel_text(reason: str) -> str:
    """Return why a working entry was never filled, as a clause."""
    plain = reason.replace("_", " ")
    return _CANCELLED.get(reason, _WHY.get(reason, f"the order ended ({plain})"))


def funnel_line(funnel: Counts, refused: Counts) -> str:
    """Return the funnel in one line: sweeps 512 > shifts 58 > ... dropped: DXY 6, ...; "" if none.

    Parameters
    ----------
    funnel : a strategy's counts, with `dropped` by reason; empty for a plain strategy.
    refused : orders the guard refused, by rule.
    """
    names = STEP_NAMES if "sweeps" in funnel else BREAKOUT_NAMES
    steps = [f"{names.get(word, word)} {funnel[word]:,}" for word in STEPS if word in funnel]
    parts = [" > ".join(steps)] if steps else []
    for title, counts in (("dropped", funnel.get("dropped")), ("refused", refused)):
        if counts:
            ordered = sorted(counts.items(), key=lambda item: -item[1])
            listed = ", ".join(f"{drop_name(name)} {count:,}" for name, count in ordered)
            parts.append(f"{title}: {listed}")
    return "    ".join(parts)


def biggest_drop(
    funnel: Counts, params: Counts, reasons: Counts, cancels: Counts
) -> dict[str, Any] | None:
    """Return the step of the funnel that lost the largest share, and why; None without steps.

    Parameters
    ----------
    reasons, cancels : how many setups were refused, and how many entries ended unfilled, by code.

    Returns
    -------
    dict
        `step` (from, to), `before`, `after` (counts), `lost_share`, `reason` (the commonest code
        of that step, None where the step has none), `settings` (name -> value of what decides it)
        and `text`.
    """
    steps = [word for word in STEPS if word in funnel]
    pairs = [
        (1.0 - funnel[after] / funnel[before], before, after)
        for before, after in pairwise(steps)
        if funnel[before] > 0 and funnel[after] < funnel[before]
    ]
    if not pairs:
        return None
    share, before, after = max(pairs, key=lambda pair: pair[0])
    dropped = funnel.get("dropped") or {}
    machine = {code: dropped[code] for code in _MACHINE_DROPS.get(after, ()) if code in dropped}
    counts = {"armed": reasons, "filled": cancels}.get(after, machine)
    reason = max(counts, key=lambda code: counts[code], default=None)
    names = _BY_STEP.get(after, ()) if reason is None else _SETTINGS.get(reason, ())
    settings = {name: params[name] for name in names if name in params}
    told = STEP_NAMES if "sweeps" in funnel else BREAKOUT_NAMES
    lost = funnel[before] - funnel[after]
    why = _no_shift(params)
    if reason is not None:
        share_of = "" if counts[reason] >= lost else f"{counts[reason]:,} of them "
        say = cancel_text if after == "filled" else drop_text
        why = f"{share_of}because {say(reason)}"
    decided = ", ".join(f"{name}={_shown(value)}" for name, value in settings.items())
    return {
        "step": [before, after],
        "before": funnel[before],
        "after": funnel[after],
        "lost_share": share,
        "reason": reason,
        "settings": settings,
        "text": f"most are lost from {told.get(before, before)} to {told.get(after, after)}: "
        f"{lost:,} of {funnel[before]:,} ({100 * share:.0f} %), {why}"
        + (f" (settings: {decided})" if decided else ""),
    }


def _no_shift(params: Counts) -> str:
    bars = params.get("max_shift_bars") or params.get("max_bos_bars")
    turn = "change of character" if "max_shift_bars" in params else "break of structure"
    within = f" within {plural(bars, 'bar')}" if bars else ""
    return f"because no {turn} came{within}, or another sweep took the idea's place first"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
