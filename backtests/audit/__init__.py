"""The look-ahead audit: does a strategy know anything at a bar that only later bars tell?

A strategy is run as a backtest runs it, then with its bars delivered one by one, on files cut
short, a bar late and from later starts; what it read and what it asked for is compared. It must
not know what a strategy computes: whatever runs in Backtrader can be audited.
"""

from __future__ import annotations

from backtests.audit.auditing import Audit, audit
from backtests.audit.findings import Finding

__all__ = ["Audit", "Finding", "audit"]
