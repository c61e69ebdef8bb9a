"""Fixtures all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("TOLA_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real prices kept outside the project; skips where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("real prices are not part of the project: ../shared/data is absent")
    return folder
