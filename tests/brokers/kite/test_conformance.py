"""Kite is tried by the suite of every venue: the genuine SDK against the sandbox."""

from __future__ import annotations

from tests.brokers.kite.lab import KiteLab, TriggerLab
from tests.conformance.suite import FloorConformance, RestartConformance, TradingConformance


class TestTrading(TradingConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestRestarts(RestartConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestFloors(FloorConformance):
    def make_lab(self, folder):
        return KiteLab(folder)


class TestTradingOnTriggers(TradingConformance):
    def make_lab(self, folder):
        return TriggerLab(folder)


class TestRestartsOnTriggers(RestartConformance):
    def make_lab(self, folder):
        return TriggerLab(folder)
