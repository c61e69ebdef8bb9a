"""Kite Connect's face: login page, REST, binary stream and rules of Zerodha, on the exchange core.

It encodes with `brokers.kite.wire`, which is pinned on documented payloads. What documents leave
open is a setting (`KiteSettings`) with what is thought to be so as its default.
"""

from __future__ import annotations

from sandbox.kite.settings import KiteSettings

__all__ = ["KiteSettings"]
