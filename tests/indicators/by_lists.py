"""The definitions again, written plainly on whole lists: slow, and no code in common."""

from __future__ import annotations

import math


def average_true_range(high, low, close, n):
    """ATR per bar (None before bar n)."""
    reach = [None] + [
        max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
        for t in range(1, len(high))
    ]
    values = [None] * len(high)
    for t in range(n, len(high)):
        if t == n:
            values[t] = sum(reach[1 : n + 1]) / n
        else:
            values[t] = (values[t - 1] * (n - 1) + reach[t]) / n
    return values


def fractal(high, low, left, right, days=None):
    """Raw pivots as (known, side, origin, price), in order of confirmation."""
    found = []
    for p in range(left, len(high) - right):
        if days is not None and days[p - left] != days[p + right]:
            continue
        before, after = slice(p - left, p), slice(p + 1, p + right + 1)
        if high[p] > max(high[before]) and high[p] >= max(high[after]):
            found.append((p + right, 1, p, high[p]))
        elif low[p] < min(low[before]) and low[p] <= min(low[after]):
            found.append((p + right, -1, p, low[p]))
    return found


def peer_window(high, low, n):
    """Raw pivots of the peer's centred window, ties allowed."""
    found = []
    for p in range(2 * n - 1, len(high) - n):
        window = slice(p - n + 1, p + n + 1)
        if high[p] == max(high[window]):
            found.append((p + n, 1, p, high[p]))
        elif low[p] == min(low[window]):
            found.append((p + n, -1, p, low[p]))
    return found


def lux_legs(high, low, n):
    """Pivots taken where Lux's leg turns."""
    found, leg = [], 0
    for t in range(n, len(high)):
        turned = leg
        if high[t - n] > max(high[t - n + 1 : t + 1]):
            turned = -1
        elif low[t - n] < min(low[t - n + 1 : t + 1]):
            turned = 1
        if turned != leg:
            leg = turned
            found.append((t, -leg, t - n, high[t - n] if leg < 0 else low[t - n]))
    return found


def zigzag(raw):
    """Events (known, side, origin, price, what, label) of the accepted list."""
    accepted, events = [], []
    for known, side, origin, price in raw:
        label = ""
        if accepted and accepted[-1][0] == side:
            if side * (price - accepted[-1][1]) > 0:
                accepted[-1] = (side, price)
                what = "replaced"
            else:
                what = "ignored"
        else:
            accepted.append((side, price))
            what = "appended"
        if what != "ignored":
            rivals = [other for kind, other in accepted[:-1] if kind == side]
            if rivals:
                if side > 0:
                    label = "HH" if price > rivals[-1] else "LH"
                else:
                    label = "LL" if price < rivals[-1] else "HL"
        events.append((known, side, origin, price, what, label))
    return events


def structure(events, high, low, close, by="close"):
    """Breaks as (t, kind, side, level, origin)."""
    news = {known: event for known, *event in events}
    level, crossed, bias, breaks = {}, {}, 0, []
    for t in range(len(close)):
        if t in news:
            side, origin, price, what, _ = news[t]
            if what != "ignored":
                level[side], crossed[side] = (price, origin), False
        for side in (1, -1):
            if side not in level or crossed[side]:
                continue
            price = close[t] if by == "close" else (high[t] if side > 0 else low[t])
            if side * price > side * level[side][0]:
                crossed[side] = True
                breaks.append((t, "CHoCH" if bias == -side else "BOS", side, *level[side]))
                bias = side
    return breaks


def first(bars, condition):
    """First bar for which the condition holds, -1 if none."""
    return next((s for s in bars if condition(s)), -1)


def gap_life(side, top, bottom, known, high, low, close):
    """(touched, half, filled, inverted, ended) of one gap, each searched for by itself."""
    n = len(close)
    half = (top + bottom) / 2
    later = range(known + 1, n)
    if side > 0:
        touched = first(later, lambda s: low[s] <= top)
        mid = first(later, lambda s: low[s] <= half)
        filled = first(later, lambda s: low[s] <= bottom)
        inverted = first(later, lambda s: close[s] < bottom)
        ended = first(range(inverted + 1, n), lambda s: close[s] > top) if inverted >= 0 else -1
    else:
        touched = first(later, lambda s: high[s] >= bottom)
        mid = first(later, lambda s: high[s] >= half)
        filled = first(later, lambda s: high[s] >= top)
        inverted = first(later, lambda s: close[s] > top)
        ended = first(range(inverted + 1, n), lambda s: close[s] < bottom) if inverted >= 0 else -1
    return touched, mid, filled, inverted, ended


def gaps(open_, high, low, close):
    """Every gap as (known, side, top, bottom)."""
    found = []
    for t in range(2, len(close)):
        if high[t - 2] < low[t] and close[t - 1] > open_[t - 1]:
            found.append((t, 1, low[t], high[t - 2]))
        elif low[t - 2] > high[t] and close[t - 1] < open_[t - 1]:
            found.append((t, -1, low[t - 2], high[t]))
    return found


def joined_gaps(found):
    """The gaps with runs joined, as (known, side, top, bottom, withdrawn at or -1)."""
    joined = []
    for known, side, top, bottom in found:
        withdrawn = -1
        if joined and joined[-1][0] == known - 1 and joined[-1][1] == side:
            last = joined[-1]
            top, bottom = max(top, last[2]), min(bottom, last[3])
            joined[-1] = (*last[:4], known)
        joined.append((known, side, top, bottom, withdrawn))
    return joined


def volatile_bars(high, low, close):
    """Lux's volatile bars."""
    average = average_true_range(high, low, close, 200)
    return [a is not None and h - x >= 2 * a for h, x, a in zip(high, low, average, strict=True)]


def block_bar(side, origin, t, mode, open_, high, low, close):
    """The bar that makes the order block of a break at t of a level at `origin`."""
    window = list(range(origin + 1, t))
    if mode == "lux":
        wild = volatile_bars(high, low, close)
        window = list(range(origin, t))
        key = [
            (high[j] if wild[j] else low[j]) if side > 0 else -(low[j] if wild[j] else high[j])
            for j in window
        ]
        return window[key.index(min(key))]
    if mode == "last_opposite":
        against = [j for j in window if side * (close[j] - open_[j]) < 0]
        if against:
            return against[-1]
    key = [low[j] if side > 0 else -high[j] for j in window]
    return window[len(key) - 1 - key[::-1].index(min(key))]


def order_blocks(breaks, mode, by_close, open_, high, low, close):
    """Every block as (origin, known, side, top, bottom, touched, broken, ended).

    A block made again while the old one at that bar still lives takes its place.
    """
    blocks = []
    for t, _, side, _, origin in breaks:
        k = block_bar(side, origin, t, mode, open_, high, low, close)
        top, bottom = high[k], low[k]
        if mode == "body":
            top, bottom = max(open_[k], close[k]), min(open_[k], close[k])
        life = block_life(side, top, bottom, t, by_close, open_, high, low, close)
        mine = [i for i, block in enumerate(blocks) if block[2] == side]
        if mine and blocks[mine[-1]][0] == k:
            ended = blocks[mine[-1]][7]
            if ended < 0 or ended > t:
                blocks[mine[-1]] = (k, t, side, top, bottom, *life)
                continue
        blocks.append((k, t, side, top, bottom, *life))
    return blocks


def block_life(side, top, bottom, known, by_close, open_, high, low, close):
    """(touched, broken, ended) of one block."""
    n = len(close)
    later = range(known + 1, n)
    if side > 0:
        deep = [min(o, c) if by_close else x for o, c, x in zip(open_, close, low, strict=True)]
        touched = first(later, lambda s: low[s] <= top)
        broken = first(later, lambda s: deep[s] < bottom)
        ended = first(range(broken + 1, n), lambda s: high[s] > top) if broken >= 0 else -1
    else:
        deep = [max(o, c) if by_close else x for o, c, x in zip(open_, close, high, strict=True)]
        touched = first(later, lambda s: high[s] >= bottom)
        broken = first(later, lambda s: deep[s] > top)
        ended = first(range(broken + 1, n), lambda s: low[s] < bottom) if broken >= 0 else -1
    return touched, broken, ended


def breaker_patterns(events, open_, high, low, close):
    """Completed triples as (t, side, kind, zone bar)."""
    news = {known: event for known, *event in events}
    accepted, is_spent, found = [], False, []
    for t in range(len(close)):
        if t in news:
            side, origin, price, what, _ = news[t]
            if what == "appended":
                accepted.append((side, origin, price))
                is_spent = False
            elif what == "replaced":
                accepted[-1] = (side, origin, price)
                is_spent = False
        if len(accepted) < 3 or is_spent:
            continue
        (_, start, low_one), (_, peak, level), (last_side, _, low_two) = accepted[-3:]
        side = -last_side
        if side * close[t] > side * level:
            is_spent = True
            kind = "breaker" if side * low_two < side * low_one else "mitigation"
            toward = [j for j in range(start, peak + 1) if side * (close[j] - open_[j]) > 0]
            found.append((t, side, kind, toward[-1] if toward else peak))
    return found


def percentile(values, percent):
    """Percentile, linear between the two nearest ranks."""
    ranks = sorted(values)
    place = percent / 100 * (len(ranks) - 1)
    below = math.floor(place)
    if below + 1 >= len(ranks):
        return ranks[-1]
    return ranks[below] + (place - below) * (ranks[below + 1] - ranks[below])
