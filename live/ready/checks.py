"""What each check of the gate says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One line of the gate.

    name : what was looked at. is_passed : whether it holds. text : what was found; of a failed one
    it is the reason. remedy : a command or what else to do, "" where it holds. applies : False
    where the plan is of a kind that cannot be looked at so; that is not held against it.
    """

    name: str
    is_passed: bool
    text: str
    remedy: str = ""
    applies: bool = True

    @property
    def mark(self) -> str:
        """How it is marked in the list."""
        if not self.applies:
            return "n/a"
        return "ok" if self.is_passed else "FAIL"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "ok": self.is_passed,
            "applies": self.applies,
            "text": self.text,
            "remedy": self.remedy,
        }


def passed(name: str, text: str) -> Check:
    """Return a check that holds."""
    return Check(name, True, text)


def failed(name: str, text: str, remedy: str) -> Check:
    """Return a check that does not."""
    return Check(name, False, text, remedy)


def inapplicable(name: str, text: str) -> Check:
    """Return a check that cannot be made of such a plan."""
    return Check(name, True, text, applies=False)
