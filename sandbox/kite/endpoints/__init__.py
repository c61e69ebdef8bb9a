"""Kite's HTTP endpoints by what they are about; each reads a request, asks one part, answers."""

from __future__ import annotations

from sandbox.kite.endpoints.asking import credentials, for_user
from sandbox.kite.endpoints.login import LoginEndpoints
from sandbox.kite.endpoints.market import MarketEndpoints
from sandbox.kite.endpoints.orders import OrderEndpoints
from sandbox.kite.endpoints.portfolio import PortfolioEndpoints

__all__ = [
    "LoginEndpoints",
    "MarketEndpoints",
    "OrderEndpoints",
    "PortfolioEndpoints",
    "credentials",
    "for_user",
]
