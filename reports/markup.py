"""Small pieces of HTML text; every value passes through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

DASH = "–"


def number(value: Any, decimals: int = 2, suffix: str = "") -> str:
    """Return a number for people (true minus, thousands parted), or a dash for none."""
    if value is None or value != value:
        return DASH
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if float(text.replace(",", "")) == 0 else f"−{text[1:]}"
    return text + suffix


def signed_class(value: Any) -> str:
    """Return the colour class of a profit or loss."""
    if value is None or value != value or value == 0:
        return ""
    return "up" if value > 0 else "down"


def card(label: str, text: str, colour: str = "", hint: str = "") -> str:
    """Return one key figure; the hint is shown when pointed at."""
    title = f' title="{escape(hint, quote=True)}"' if hint else ""
    return (
        f'<div class="card"{title}><b class="{colour}">{escape(text)}</b>'
        f"<span>{escape(label)}</span></div>"
    )


def cards(items: Iterable[str]) -> str:
    """Return key figures side by side."""
    return f'<div class="cards">{"".join(items)}</div>'


class Cell(str):
    """A finished table cell: `table` takes it as it is, any other text is escaped."""


def cell(text: str, colour: str = "") -> Cell:
    """Return a table cell with a colour class, for `table`'s rows."""
    return Cell(f'<td class="{colour}">{escape(text)}</td>')


def table(head: Sequence[str], rows: Iterable[Sequence[str]], label: str = "") -> str:
    """Return a plain table; the first column is text."""
    cells = [[c if isinstance(c, Cell) else cell(c) for c in row] for row in rows]
    kinds = ["text" if c.startswith('<td class="text"') else "" for c in (cells or [[]])[0]]
    heads = "".join(
        f'<th scope="col" class="{kind}">{escape(name)}</th>'
        for name, kind in zip(head, kinds or [""] * len(head), strict=True)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    name = f' aria-label="{escape(label, quote=True)}"' if label else ""
    return (
        f'<div class="wide"><table{name}><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def section(title: str, *parts: str, plan_id: str | None = None, anchor: str = "") -> str:
    """Return a titled section, tied to a plan's button where plan_id is given."""
    tie = f' data-plan="{escape(plan_id, quote=True)}"' if plan_id is not None else ""
    name = f' id="{anchor}"' if anchor else ""
    return f"<section{name}{tie}><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def part(title: str, body: str) -> str:
    """Return a titled part of a section, or nothing where there is nothing to show."""
    return f'<div class="part"><h3>{escape(title)}</h3>{body}</div>' if body else ""


def columns(*parts: str) -> str:
    """Return parts side by side where there is room."""
    return f'<div class="columns">{"".join(parts)}</div>'


def quiet(text: str) -> str:
    """Return a remark."""
    return f'<p class="quiet">{escape(text)}</p>'


def bar_rows(
    rows: Iterable[tuple[str, float, str]], colour: str = "--accent", full: float | None = None
) -> str:
    """Return labelled horizontal bars; lengths are shares of `full`, else of the longest."""
    items = list(rows)
    longest = full or max((abs(value) for _, value, _ in items), default=0.0) or 1.0
    cells = "".join(
        f'<span>{escape(label)}</span><span class="track"><span class="bar" '
        f'style="width:{min(100.0, 100 * abs(value) / longest):.1f}%;background:var({colour})">'
        f"</span></span><span>{escape(text)}</span>"
        for label, value, text in items
    )
    return f'<div class="bars">{cells}</div>' if items else quiet("none")
