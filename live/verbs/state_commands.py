"""`status`, `positions`, `orders`, `quote`: how an account stands, from its status document."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backtests.verbs.outcome import Outcome, command_line
from core.errors import ConfigError, near_name
from live import monitor
from live import view_text as words
from live.account_folder import AccountFolder
from live.kill import KillSwitch
from live.verbs.accounts import START, find_account, named, start_line

WATCH_SECS = 0.2

Document = Mapping[str, Any]


def status(account: str | None, watch: bool, as_json: bool) -> Outcome:
    """Show a session's status; with `watch` until it ends or Ctrl-C.

    Raises
    ------
    ConfigError : `--watch` and `--json`, or several accounts.
    TolaError : its status cannot be read.
    """
    if watch and as_json:
        raise ConfigError("--watch shows a panel: with --json ask again and again instead")
    folder = find_account(account)
    if folder is None:
        return _no_account()
    document = _watched(folder) if watch else monitor.read(folder.status)
    return Outcome(document, _status_lines(folder, document), _next(folder, document))


def positions(account: str | None) -> Outcome:
    """Show what is open."""
    folder = find_account(account)
    if folder is None:
        return _no_account()
    document = monitor.read(folder.status)
    rows = document.get("positions") or []
    lines = [_position_line(document, row) for row in rows] or ["flat"]
    following = ["close", rows[0]["plan_id"]] if rows else ["orders"]
    return _part(folder, document, "positions", rows, lines, following)


def orders(account: str | None) -> Outcome:
    """Show what works."""
    folder = find_account(account)
    if folder is None:
        return _no_account()
    document = monitor.read(folder.status)
    rows = document.get("orders") or []
    lines = _table([_order_cells(row) for row in rows]) or ["no order works"]
    following = ["order", "cancel", rows[0]["order_id"]] if rows else ["positions"]
    return _part(folder, document, "orders", rows, lines, following)


def quote(account: str | None, symbol: str | None) -> Outcome:
    """Show the last prices.

    Raises
    ------
    ConfigError : no such symbol.
    """
    folder = find_account(account)
    if folder is None:
        return _no_account()
    document = monitor.read(folder.status)
    feeds = document.get("feeds") or []
    rows = [feed for feed in feeds if symbol in (None, feed["symbol"])]
    if not rows:
        known = sorted({feed["symbol"] for feed in feeds})
        raise ConfigError(f"symbol {symbol!r}{near_name(str(symbol), known)}")
    lines = _table([_quote_cells(document, row) for row in rows])
    return _part(folder, document, "quotes", rows, lines, ["status"])


# -- what is told ----------------------------------------------------------------------------


def _no_account() -> Outcome:
    return Outcome({"accounts": []}, ["no session has run here"], START)


def _watched(folder: AccountFolder) -> dict[str, Any]:
    """Show a status anew until the session ends, is gone, or Ctrl-C; return the last one."""
    from live.view import View

    document = monitor.read(folder.status)
    view = View()
    try:
        while not (document["stale"] or document.get("state") == "ended"):
            view.show(document)
            time.sleep(WATCH_SECS)
            document = monitor.read(folder.status)
    except KeyboardInterrupt:
        pass
    finally:
        view.close(document)
    return document


def _part(
    folder: AccountFolder,
    document: Document,
    name: str,
    rows: Sequence[Document],
    lines: list[str],
    following: Sequence[str],
) -> Outcome:
    """Return a part of a status, with how old it is."""
    is_dead = bool(document["stale"]) or document.get("state") == "ended"
    following = command_line([*following, *named(folder)])
    return Outcome(
        {
            "account": folder.name,
            name: list(rows),
            "market_time": document.get("market_time"),
            "wall_time": document.get("wall_time"),
            "stale": document["stale"],
            "stale_reason": document["stale_reason"],
        },
        [*map(words.clean, lines), age_line(document)],
        start_line(folder) if is_dead else following,
        lines,
    )


def _status_lines(folder: AccountFolder, document: Document) -> list[str]:
    currency = str(document.get("currency", ""))
    is_over = document.get("state") == "ended"  # that its process is gone is no surprise then
    lines = [words.line({**document, "stale": False} if is_over else document)]
    equity, balance = (words.amount(document.get(name), currency) for name in ("equity", "balance"))
    lines.append(
        f"account {folder.name} at {document.get('venue')}: equity {equity}, balance {balance}"
    )
    switch = KillSwitch(folder.kill, folder.name)
    if switch.is_pressed:
        note = switch.note()
        why = f": {note.reason}" if note.reason else ""
        lines.append(f"KILLED by {note.author or 'somebody'} at {note.time or '?'}{why}")
    paused = [p["plan_id"] for p in document.get("plans") or [] if p.get("state") == "paused"]
    if paused:
        lines.append(f"paused: {', '.join(paused)}")
    for limit in document.get("limits") or []:
        lines.append(f"limit {limit['name']}: {_of_limit(limit, currency)}")
    if document.get("orders"):
        lines.append(words.counted(len(document["orders"]), "order") + " at work")
    return [*map(words.clean, lines), age_line(document)]


def _of_limit(limit: Document, currency: str) -> str:
    unit = str(limit.get("unit") or "")
    if unit in ("money", currency):
        used, most = (words.amount(limit[name], currency) for name in ("used", "limit"))
        return f"{used} of {most}"
    return f"{words.number(limit['used'])} of {words.number(limit['limit'])} {unit}".rstrip()


def age_line(document: Document) -> str:
    """Return in words how old a status is, and whether it can be trusted."""
    if document.get("state") == "ended":
        why = document.get("exit_reason") or "no reason told"
        return f"the session has ended ({why}); this is how it ended, {_ago(document)} ago"
    if document["stale"]:
        reason = document["stale_reason"]
        return f"STALE, {_ago(document)} old: {reason}; what is open may have changed since"
    return f"as of {_ago(document)} ago"


def _ago(document: Document) -> str:
    try:
        written = datetime.fromisoformat(str(document["wall_time"]))
    except (KeyError, ValueError):
        return "an unknown time"
    return words.span(max((datetime.now(UTC) - written).total_seconds(), 0.0))


def _next(folder: AccountFolder, document: Document) -> str:
    is_dead = bool(document["stale"]) or document.get("state") == "ended"
    if is_dead or KillSwitch(folder.kill, folder.name).is_pressed:
        return start_line(folder)
    following = ["positions"] if document.get("positions") else ["status", "--watch"]
    return command_line([*following, *named(folder)])


def _position_line(document: Document, row: Document) -> str:
    currency = str(document.get("currency", ""))
    parts = [f"{row['plan_id']} {row['symbol']} {words.size(row)}"]
    for name, key in (("now", "price"), ("stop", "stop"), ("target", "target")):
        if row.get(key) is not None:
            parts.append(f"{name} {words.number(row[key])}")
    parts.append(words.amount(row.get("open_pnl"), currency))
    if row.get("r_now") is not None:
        parts.append(f"{row['r_now']:+.2f} R")
    parts.append(words.protection(row))
    return "  ".join(parts)


def _order_cells(row: Document) -> list[str]:
    at = "" if row.get("price") is None else f"@ {words.number(row['price'])}"
    filled = f"filled {words.number(row['filled'])}" if row.get("filled") else ""
    what = f"{row['side']} {words.number(row['quantity'])} {row['symbol']}"
    return [row["order_id"], row["plan_id"], what, f"{row['kind']} {at}", row["status"], filled]


def _quote_cells(document: Document, row: Document) -> list[str]:
    age = row.get("age_secs")
    sides = [
        f"{name} {words.number(row[name])}" for name in ("bid", "ask") if row.get(name) is not None
    ]
    return [
        row["symbol"],
        words.number(row.get("last_price")),
        "  ".join(sides),
        words.clock(document, row.get("last_tick")),
        "" if age is None else f"{words.span(age)} old",
        "" if row.get("state") == "live" else str(row.get("state")).upper(),
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines, columns one below the other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, widths, strict=True) if size]
        lines.append("  ".join(cells).rstrip())
    return lines
