"""Fixtures of the indicator tests."""

from __future__ import annotations

import matplotlib
import pytest


@pytest.fixture(scope="session", autouse=True)
def headless_plotting():
    """Load Backtrader's plotting without a display, whoever loaded pyplot before.

    On import it switches to TkAgg, which fails once a headless backend is in use.
    """
    matplotlib.use("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib, "use", lambda *_, **__: None)
        import backtrader.plot  # noqa: F401
