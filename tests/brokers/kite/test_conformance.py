"""Kite is tried by the suite of every venue: the genuine SDK against the sandbox."""

from __future__ import annotations

from tests.brokers.kite.lab import KiteLab, TriggerLab
from tests.conformance.account import Flattening, Hands, SessionEnds
from tests.conformance.suite import (
    FloorConformance,
    Group,
    RestartConformance,
    TradingConformance,
)
from tests.conformance.trading import Brackets, PartialFills
from tests.conformance.wire import Anything, CancelRaces, UnknownOutcomes


class TestTrading(TradingConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestRestarts(RestartConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestFloors(FloorConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestTradingOnTriggers(
    PartialFills, Brackets, CancelRaces, UnknownOutcomes, Anything, Hands, Flattening,
    SessionEnds, Group,
):  # fmt: skip
    """What stops and targets have to do with; the rest is the same account."""

    def make_lab(self, folder):
        return TriggerLab(folder)


class TestRestartsOnTriggers(RestartConformance):
    def make_lab(self, folder):
        return TriggerLab(folder)
