"""What cannot be read."""

from __future__ import annotations

from core.errors import BrokerError

LONGEST = 60
"""How much of a value that cannot be read is shown."""


class WireError(BrokerError):
    """Bytes or text are not what Kite documents: names the part, what was read and expected."""


def shown(value: object) -> str:
    """Return a value as it may stand in a message: short."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
