"""What to trade: setup machines (kernels over prices) and the management layer around them.

A strategy knows bars, indicators and orders; it must not know a broker, a file or a mode.
"""

from __future__ import annotations
