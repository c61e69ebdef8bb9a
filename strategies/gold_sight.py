"""What the gold machine sees at one bar, in words."""

from __future__ import annotations

from typing import Any

from indicators.sessions import in_window
from strategies import gold_blocks, gold_sweep
from strategies.clock import parse_clock
from strategies.gold_smc import GoldHours, kill_zones
from strategies.management import rounded_limit, rounded_stop
from strategies.sight import (
    SIDES,
    Filter,
    Level,
    Moment,
    Pattern,
    Sight,
    block_events,
    level_seen,
    price_text,
    span_text,
    zones_seen,
)
from strategies.words import BREAKER, PATTERNS, SWEEP_CHOCH

_LEVELS = (
    (gold_blocks.DAY_LEVEL, "day", "previous day"),
    (gold_blocks.SESSION_LEVEL, "session", "Asia session"),
    (gold_blocks.SWING_LEVEL, "swing", "last swing"),
)


def look(moment: Moment) -> Sight:
    """Return what stood and what happened at a bar."""
    blocks = moment.now[0]["blocks"]
    sight = Sight(
        levels=_levels(moment),
        zones=zones_seen(blocks),
        filters=_filters(moment),
        events=block_events(blocks, moment.when, moment.index),
    )
    if (blocks["low_hit"]["count"] or blocks["high_hit"]["count"]) and not blocks["in_zone"]:
        sight.events.append("outside the kill zones a sweep uses its level up and starts nothing")
    stopped = []
    if "sweep_choch" in moment.values["patterns"]:
        pattern, why = _sweep(moment)
        sight.patterns.append(pattern)
        stopped.append(why)
    if "breaker" in moment.values["patterns"]:
        pattern, why = _breaker(moment)
        sight.patterns.append(pattern)
        stopped.append(why)
    sight.stopped = "; ".join(why for why in stopped if why)
    return sight


def _levels(moment: Moment) -> list[Level]:
    now, before = moment.now[0]["blocks"], moment.before[0]["blocks"]
    found: list[Level] = []
    for place, kind, name in _LEVELS:
        if kind not in moment.values["levels"]:
            continue
        for side in ("high", "low"):
            seen = level_seen(name, side, now[f"{side}s"][place], before[f"{side}s"][place])
            if seen is not None:
                found.append(seen)
    if "pool" in moment.values["levels"]:
        for side in ("high", "low"):
            pools = now[f"{side}_pools"]
            found += [
                Level(f"equal ({pool['members']})", side, float(pool["level"]), "in force")
                for pool in pools["pools"][: int(pools["count"])]
            ]
    return found


def _zone_name(moment: Moment) -> str:
    """Return the kill zone the bar starts in, "" outside."""
    minute = int(moment.bar["minute"])
    for name in moment.values["killzones"]:
        if in_window(minute, *gold_blocks.KILL_ZONES[name]):
            return str(name)
    return ""


def _filters(moment: Moment) -> list[Filter]:
    values = moment.values
    name = _zone_name(moment)
    if not values["killzones"]:
        window = "every hour counts (no kill zones set)"
    elif name:
        window = f"starts in the kill zone {name}"
    else:
        hours = ", ".join(_hours(zone) for zone in values["killzones"])
        window = f"outside the kill zones ({hours}): a sweep starts nothing"
    found = [Filter("window", window)]
    friday = parse_clock("gold_smc", "friday_end", values["friday_end"])
    opening = GoldHours(kill_zones(values["killzones"]), friday)
    shut = {
        PATTERNS[code]: opening.reason(moment.bar, code)
        for code in (SWEEP_CHOCH, BREAKER)
        if PATTERNS[code] in values["patterns"]
    }
    texts = [f"no {pattern} entry {why}" for pattern, why in shut.items() if why]
    found.append(Filter("time", "; ".join(texts) or "entries are allowed at this close"))
    found.append(_dollar(moment))
    return found


def _hours(zone: str) -> str:
    start, end = gold_blocks.KILL_ZONES[zone]
    return f"{zone} {start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"


def _dollar(moment: Moment) -> Filter:
    if not moment.values["dxy"]:
        return Filter("DXY", "off (dxy=false)")
    now = moment.now[0]["blocks"]["dxy_now"]
    long_ok, short_ok = bool(now["long_ok"]), bool(now["short_ok"])
    if now["missing"]:
        text = f"no usable dollar bars (dxy_missing={moment.values['dxy_missing']})"
    elif now["decoupled"]:
        text = (
            f"correlation {now['rho']:+.2f} is above dxy_threshold="
            f"{moment.values['dxy_threshold']:g}: neutral"
        )
    else:
        trend = "rising" if now["slope"] > 0 else "falling" if now["slope"] < 0 else "flat"
        text = f"correlation {now['rho']:+.2f}, dollar {trend} (EMA {now['slope']:+.3f} in 3 h)"
    return Filter("DXY", text, long_ok, short_ok)


def _sweep(moment: Moment) -> tuple[Pattern, str]:
    """Return where pattern 1 stands and, in a clause, why it gave no setup at this bar."""
    now, before = moment.now[0]["sweep"], moment.before[0]["sweep"]
    phase = int(now["phase"])
    name = PATTERNS[SWEEP_CHOCH]
    ended = _sweep_ended(moment)
    if phase == gold_sweep.SWEPT:
        text, needs, why = _waits_for_shift(moment)
        replaced = before["phase"] == gold_sweep.SWEPT and now["swept_at"] != before["swept_at"]
        if replaced:
            text = f"a new sweep took the old idea's place; {text}"
        return Pattern(name, "swept", text, needs), why
    if phase == gold_sweep.SHIFTED:
        side = SIDES[int(now["side"])]
        text = (
            f"{side}: the structure turned at {moment.when(int(now['shifted_at']))}; the next bar "
            "looks for an open gap or order block to enter at"
        )
        return Pattern(name, "shifted", text, _zone_needs(moment)), f"{side} idea shifted just now"
    lead = f"{ended}; " if ended else ""
    inside = bool(moment.now[0]["blocks"]["in_zone"])
    text = f"{lead}idle: no sweep at work"
    if ended:
        why = ended
    elif not inside:
        why = "outside the kill zones"
    else:
        why = "no level swept in this kill zone"
    return Pattern(name, "idle", text, _sweep_needs(moment)), why


def _sweep_ended(moment: Moment) -> str:
    """Return how an idea ended at this bar, "" if none did."""
    now, before = moment.now[0]["sweep"], moment.before[0]["sweep"]
    if moment.counted("both_sided"):
        return "the bar swept a low and a high: neither counts"
    if moment.counted("emitted_sweep_choch"):
        return "the setup was made at this close"
    if moment.counted("no_zone"):
        middle = (float(now["extreme"]) + float(now["reach"])) / 2.0
        better = "at or below" if now["side"] > 0 else "at or above"
        return (
            "the shift left no open gap or whole order block in the better half of the move "
            f"({better} {price_text(middle)})"
        )
    if moment.counted("risk"):
        return _risk_text(moment)
    if before["phase"] != gold_sweep.SWEPT or now["phase"] != gold_sweep.IDLE:
        return ""
    if moment.index - int(before["swept_at"]) > moment.values["max_shift_bars"]:
        return f"no shift within {moment.values['max_shift_bars']} bars of the sweep: given up"
    return (
        f"closed more than {moment.values['abort_atr']:g} ATR beyond the swept level "
        f"{price_text(before['level'])}: given up"
    )


def _risk_text(moment: Moment) -> str:
    now, params = moment.now[0]["sweep"], moment.params[0]["sweep"]
    side, average = int(now["side"]), float(moment.facts["atr"])
    tick = float(params["tick"])
    entry = rounded_limit(float(now["zone"]["entry"]), side, tick)
    stop = rounded_stop(
        float(now["extreme"]) - side * float(params["stop_buffer"]) * average, side, tick
    )
    risk = side * (entry - stop)
    return (
        f"the risk of {SIDES[side]} {price_text(entry)} with stop {price_text(stop)} is "
        f"{risk / average:.2f} ATR, allowed {moment.values['min_risk']:g} to "
        f"{moment.values['max_risk']:g}"
    )


def _waits_for_shift(moment: Moment) -> tuple[str, tuple[str, ...], str]:
    """Return the text, the needs and the clause of an idea that waits for its shift."""
    now, blocks = moment.now[0]["sweep"], moment.now[0]["blocks"]
    side = int(now["side"])
    swept = "low" if side > 0 else "high"
    left = int(moment.values["max_shift_bars"]) - (moment.index - int(now["swept_at"]))
    average = float(moment.facts["atr"])
    abort = float(now["level"]) - side * moment.values["abort_atr"] * average
    displaced = "seen" if now["displaced"] else "not seen yet"
    text = (
        f"{SIDES[side]}: {swept} {price_text(now['level'])} swept at "
        f"{moment.when(int(now['swept_at']))} (extreme {price_text(now['extreme'])}); waiting for "
        f"the structure to turn, {left} of {moment.values['max_shift_bars']} bars left, "
        f"displacement {displaced}"
    )
    needs = [_structure_need(moment, side)]
    if not now["displaced"]:
        body = moment.values["disp_k"] * float(blocks["atr_now"]["atr"])
        way = "up" if side > 0 else "down"
        needs.append(f"a displacement bar {way} by then: body of {price_text(body)} or more")
    word = "below" if side > 0 else "above"
    needs.append(f"no close {word} {price_text(abort)} before")
    return text, tuple(needs), f"{SIDES[side]} idea waits for the structure to turn"


def _structure_need(moment: Moment, side: int) -> str:
    """Return which close would be the change of character."""
    blocks = moment.now[0]["blocks"]
    now, swing = blocks["structure_now"], blocks["swings_now"]
    way, level, crossed = "above", swing["zz_high"], now["high_crossed"]
    if side < 0:
        way, level, crossed = "below", swing["zz_low"], now["low_crossed"]
    word = "high" if side > 0 else "low"
    if now["bias"] == side and not moment.values["allow_bos"]:
        other = "bearish" if side > 0 else "bullish"
        return (
            f"a {other} structure first: it points {SIDES[side]} already, so a break would be no "
            "change of character (allow_bos=true takes it)"
        )
    if crossed or level != level:
        return f"a new swing {word}, then a close {way} it"
    return f"a close {way} the swing {word} {price_text(level)}"


def _zone_needs(moment: Moment) -> tuple[str, ...]:
    now = moment.now[0]["sweep"]
    middle = (float(now["extreme"]) + float(now["reach"])) / 2.0
    word = "at or below" if now["side"] > 0 else "at or above"
    return (
        f"at the next close: an open gap of the move, or its order block, {word} "
        f"{price_text(middle)}",
        f"a risk of {moment.values['min_risk']:g} to {moment.values['max_risk']:g} ATR",
    )


def _sweep_needs(moment: Moment) -> tuple[str, ...]:
    levels = [level for level in _levels(moment) if level.state == "in force"]
    close = float(moment.bar["close"])
    lows = [level.price for level in levels if level.side == "low" and level.price < close]
    highs = [level.price for level in levels if level.side == "high" and level.price > close]
    ways = []
    if lows:
        ways.append(f"a low below {price_text(max(lows))} and a close back above it (long)")
    if highs:
        ways.append(f"a high above {price_text(min(highs))} and a close back below it (short)")
    where = "in a kill zone: " if moment.values["killzones"] else ""
    return (where + ", or ".join(ways),) if ways else ("a new level to sweep",)


def _breaker(moment: Moment) -> tuple[Pattern, str]:
    now, before = moment.now[0]["breaker"], moment.before[0]["breaker"]
    name = PATTERNS[BREAKER]
    ended = _breaker_ended(moment, now, before)
    side = int(now["side"])
    if side == 0:
        lead = f"{ended}; " if ended else ""
        needs = (
            "in a kill zone: a swing that takes the liquidity of the one before, then a break "
            "of the swing between them",
        )
        return Pattern(name, "idle", f"{lead}idle: no breaker zone waits", needs), ended
    left = int(moment.values["max_retest_bars"]) - (moment.index - int(now["completed_at"]))
    zone = span_text(now["bottom"], now["top"])
    text = (
        f"{SIDES[side]}: breaker zone {zone} of {moment.when(int(now['completed_at']))} waits for "
        f"its retest, {left} of {moment.values['max_retest_bars']} bars left"
    )
    if side > 0:
        need = f"a bar that dips to {price_text(now['top'])} and closes up, above "
        need += f"{price_text(now['bottom'])}; a close below that ends it"
    else:
        need = f"a bar that rises to {price_text(now['bottom'])} and closes down, below "
        need += f"{price_text(now['top'])}; a close above that ends it"
    return Pattern(name, "waiting", text, (need,)), f"{SIDES[side]} breaker zone waits for a retest"


def _breaker_ended(moment: Moment, now: Any, before: Any) -> str:
    if moment.counted("emitted_breaker"):
        return "the setup was made at this close"
    if moment.counted("breaker_risk"):
        limits = f"{moment.values['min_risk']:g} to {moment.values['max_risk']:g} ATR"
        return f"the retest came, but its risk was outside {limits}"
    if before["side"] == 0 or now["side"] != 0:
        return ""
    if moment.index - int(before["completed_at"]) > moment.values["max_retest_bars"]:
        return f"no retest within {moment.values['max_retest_bars']} bars: given up"
    return f"closed through the breaker zone {span_text(before['bottom'], before['top'])}: given up"
