"""What an audit says: JSON, lines for people, and the content of its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtests.audit.auditing import Audit
from core.wording import plural

SHOWN = 8
_NS = 1_000_000_000
_POINTS = 1500

_FIGURES = (
    ("trades", "trades", "{:,}"),
    ("net_profit", "net profit", "{:+,.2f}"),
    ("profit_factor", "profit factor", "{:.2f}"),
    ("win_rate", "win rate", "{:.1%}"),
    ("expectancy_r", "mean R", "{:+.3f}"),
    ("sharpe", "Sharpe", "{:.2f}"),
    ("max_drawdown_pct", "deepest drawdown, %", "{:.2f}"),
)


def document(done: Audit, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an audit as plain data; `kind` stands first."""
    return {
        "kind": "audit",
        "plan_id": done.plan_id,
        "clean": done.is_clean,
        "bars": done.bars,
        "first": done.first,
        "last": done.last,
        "prefixes": done.prefixes,
        "readings": done.readings,
        "decisions": done.decisions,
        "cuts": done.cuts,
        "findings": [item.as_dict() for item in done.findings],
        "notes": done.notes,
        "before": done.before,
        "one_bar_late": done.after,
        "delay": done.delay,
        "warmup": done.warmup,
        "identity": dict(identity),
    }


def lines(done: Audit) -> list[str]:
    """Return an audit for people: the verdict, what was found, what a reader should know."""
    told = [verdict(done)]
    told += [f"  {item.describe()}" for item in done.findings[:SHOWN]]
    if len(done.findings) > SHOWN:
        told.append(f"  (+{len(done.findings) - SHOWN} more, with --json)")
    if done.delay:
        told.append(done.delay)
    told += _warmup_lines(done)
    return told + done.notes


def verdict(done: Audit) -> str:
    """Return the first line."""
    late = _late_words(done)
    if done.is_clean:
        cut = f"; {plural(len(done.cuts), 'file')} cut short, no trade changed" if done.cuts else ""
        seen = f"{plural(done.prefixes, 'prefix', 'prefixes')}, no reading rewritten{cut}"
        if not done.prefixes:
            seen = f"{plural(len(done.cuts), 'file')} cut short, no reading and no trade changed"
        return f"PASS  {seen}{late}"
    return f"FAIL  {plural(len(done.findings), 'finding')} in {plural(done.bars, 'bar')}{late}"


def _late_words(done: Audit) -> str:
    if done.before is None or done.after is None:
        return ""
    one, other = done.before, done.after
    if not (one["trades"] or other["trades"]):
        return "; no trades"
    if one["profit_factor"] is None or other["profit_factor"] is None:
        return f"; one bar late: net {one['net_profit']:+,.0f} -> {other['net_profit']:+,.0f}"
    return (
        f"; one bar late: profit factor {one['profit_factor']:.2f} -> {other['profit_factor']:.2f}"
    )


def _warmup_lines(done: Audit) -> list[str]:
    found = done.warmup
    if found is None:
        return []
    declared = found["declared"]
    slow = {name: row for name, row in found["readings"].items() if row["apart"] > 0.0}
    never = [name for name, row in slow.items() if row["settled"] is None]
    whose = "declared warm-up" if found["is_declared"] else "warm-up (Backtrader's minimum period)"
    compared = found["readings_compared"]
    if not compared:
        return []
    if not slow:
        return [
            f"begun later: {plural(compared, 'reading')} the same after the {whose} of "
            f"{plural(declared, 'bar')}"
        ]
    text = (
        f"begun later: {len(slow)} of {plural(compared, 'reading')} still depend on where the data "
        f"begins after the {whose} of {plural(declared, 'bar')}"
    )
    if never:
        return [f"{text}; {', '.join(never[:3])} for ever"]
    longest = max(row["settled"] for row in slow.values())
    return [f"{text}, none after {longest:,}"]


def page_content(done: Audit, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `reports.study.write_study` lays out."""
    identity = told["identity"]
    sections = [_found(done), _delay_section(done), _warmup_section(done), _about(done, identity)]
    return {
        "title": f"Tola: audit of {done.plan_id}",
        "subtitle": f"{identity['instrument']} {identity['timeframe']} · "
        f"{plural(done.bars, 'bar')}, {done.first[:10]} to {done.last[:10]}",
        "verdict": verdict(done),
        "notices": done.notes,
        "sections": [section for section in sections if section["items"]],
    }


def _found(done: Audit) -> dict[str, Any]:
    rows = [(item.kind, item.place, item.bar, item.what) for item in done.findings]
    if not rows:
        return {"title": "Findings", "items": [{"kind": "text", "lines": ["none"]}]}
    head = ("kind", "source", "first bar", "what")
    return {
        "title": "Findings",
        "items": [{"kind": "table", "head": head, "rows": rows, "words": (0, 1, 2, 3)}],
    }


def _delay_section(done: Audit) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    before, after = done.before, done.after
    if before is not None and after is not None:
        rows = [
            (words, *(_figure(side[name], form) for side in (before, after)))
            for name, words, form in _FIGURES
        ]
        items.append({"kind": "text", "lines": [done.delay]})
        items.append({"kind": "table", "head": ("", "as tested", "a bar late"), "rows": rows})
    if len(done.curves) == 2:
        items.append(_equity_chart(done.curves, done.currency))
    return {"title": "Every decision one bar late", "items": items}


def _figure(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value).replace("%", " %")


def _equity_chart(curves: Mapping[str, tuple[Any, Any]], currency: str) -> dict[str, Any]:
    starts = [ends[0] for ends, _ in curves.values() if len(ends)]
    stops = [ends[-1] for ends, _ in curves.values() if len(ends)]
    grid = np.linspace(min(starts), max(stops), _POINTS).astype(np.int64)
    series = []
    for label, (ends, equity) in curves.items():
        places = np.maximum(np.searchsorted(ends, grid, side="right") - 1, 0)
        series.append({"label": label, "y": np.asarray(equity)[places].round(2).tolist()})
    return {
        "kind": "curves", "title": "Equity", "unit": currency, "file": "equity",
        "x": (grid // _NS).tolist(), "is_time": True, "series": series,
    }  # fmt: skip


def _warmup_section(done: Audit) -> dict[str, Any]:
    found = done.warmup
    if found is None:
        return {"title": "Begun later", "items": []}
    rows = [
        (
            name,
            "never" if row["settled"] is None else f"{row['settled']:,}",
            f"{row['apart'] * 100:.3f} %",
        )
        for name, row in found["readings"].items()
    ]
    items: list[dict[str, Any]] = [{"kind": "text", "lines": _warmup_lines(done)}]
    if rows:
        head = ("reading", "bars until it is that of the whole file", "apart after the warm-up")
        items.append({"kind": "table", "head": head, "rows": rows})
    return {"title": "Begun later", "items": items}


def _about(done: Audit, identity: Mapping[str, Any]) -> dict[str, Any]:
    rows: Sequence[tuple[str, str]] = [
        ("prefixes compared", f"{done.prefixes:,}"),
        ("readings at each", f"{done.readings}"),
        ("orders, changes, cancels", f"{done.decisions:,}"),
        ("files cut short, ending at", ", ".join(done.cuts) or "none"),
        ("code", str(identity["code_version"])),
        ("prices, SHA-256", ", ".join(identity["data"])),
    ]
    items = [{"kind": "table", "head": ("", ""), "rows": rows, "words": (0, 1)}]
    return {"title": "What was looked at", "items": items}
