"""The page and the pictures of a study (an audit, odds): offline HTML and the same as PNG.

What a study came to is decided elsewhere and handed over as text, tables and charts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from core.errors import ConfigError
from reports import charts, markup
from reports.publishing import publish


def write_study(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write report.html and a PNG for each chart into a folder and return their paths.

    Parameters
    ----------
    content : mapping
        `title`, `subtitle`, `verdict`, `notices` (texts) and `sections`: each with `title` and
        items of kind "cards" (rows of label, text, colour), "table" (head, rows; a first column of
        text), "text" (lines) or a chart (`reports.charts`) with `file`, the picture's name.

    Raises
    ------
    ConfigError : the folder cannot be made. TolaError : nothing can be written into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigError(f"{folder}: cannot be made ({cause.strerror})") from cause
    text = build_study(content)
    page = folder / "report.html"
    publish(page, lambda fresh: fresh.write_text(text, encoding="utf-8"))
    pictures = []
    for section in content["sections"]:
        for item in section["items"]:
            if "file" in item:
                picture = folder / f"{item['file']}.png"
                publish(picture, partial(charts.write_png, item))
                pictures.append(picture.as_posix())
    return {"report": page.as_posix(), "plots": pictures}


def build_study(content: Mapping[str, Any]) -> str:
    """Return a study's page as HTML text."""
    page = files("reports") / "page"
    return Template((page / "study.html").read_text("utf-8")).substitute(
        title=escape(content["title"]),
        subtitle=escape(content["subtitle"]),
        verdict=escape(content["verdict"]),
        style="\n".join((page / name).read_text("utf-8") for name in ("style.css", "study.css")),
        notices="\n".join(f'<p class="notice">{escape(text)}</p>' for text in content["notices"]),
        sections="\n".join(_section(section) for section in content["sections"]),
    )


def _section(section: Mapping[str, Any]) -> str:
    return markup.section(section["title"], *(_item(item) for item in section["items"]))


def _item(item: Mapping[str, Any]) -> str:
    kind = item["kind"]
    if kind == "cards":
        return markup.cards(markup.card(*row) for row in item["rows"])
    if kind == "text":
        return "".join(f"<p>{escape(line)}</p>" for line in item["lines"])
    if kind == "table":
        words = set(item.get("words", (0,)))
        rows = [
            [
                markup.cell(text, "text") if place in words else markup.cell(text)
                for place, text in enumerate(row)
            ]
            for row in item["rows"]
        ]
        return markup.table(item["head"], rows, item.get("label", ""))
    return charts.svg(item)
