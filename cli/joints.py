"""What verbs are handed of packages their work may not import: drawn reports, a sandbox."""

from __future__ import annotations

from typing import Any


def open_sandbox(*given: Any, **more: Any) -> Any:
    """Start a sandbox for a session."""
    from sandbox.for_session import open_for_session

    return open_for_session(*given, **more)


def draw_report(folder: Any) -> dict[str, Any]:
    """Draw a run's page and pictures; return the files."""
    import reports

    page, plots = reports.write_report(folder), reports.write_plots(folder)
    return {"report": page.as_posix(), "plots": [plot.as_posix() for plot in plots]}


def draw_study(*given: Any) -> Any:
    """Draw the page and pictures of what is no single run; return the files."""
    from reports.study import write_study

    return write_study(*given)


def draw_comparison(*given: Any) -> dict[str, str]:
    """Draw runs beside each other; return the files."""
    from reports.compare import write_comparison

    return write_comparison(*given)
