"""The gate before a real account: is everything there that a plan should have shown first?

It reads what audits, walk-forwards and sessions left, and looks at limits and token; it changes
nothing and trades nothing.
"""

from __future__ import annotations

from live.ready.checks import Check
from live.ready.gate import examine

__all__ = ["Check", "examine"]
