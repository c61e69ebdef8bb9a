"""The paper exchange is tried by the suite of every venue, in each way it can be set."""

from __future__ import annotations

import pytest

from tests.conformance.paper_lab import PaperLab
from tests.conformance.suite import FloorConformance, RestartConformance, TradingConformance

WAYS = {
    "native netting": {"native": True, "hedging": False},
    "native hedging": {"native": True, "hedging": True},
    "kept netting": {"native": False, "hedging": False},
    "kept hedging": {"native": False, "hedging": True},
}


class Paper:
    """A lab for each way."""

    @pytest.fixture(params=WAYS.values(), ids=WAYS)
    def lab(self, request, tmp_path):
        made = PaperLab(tmp_path, **request.param)
        yield made
        made.close()


class TestTrading(Paper, TradingConformance):
    pass


class TestRestarts(Paper, RestartConformance):
    pass


class TestFloors(Paper, FloorConformance):
    pass
