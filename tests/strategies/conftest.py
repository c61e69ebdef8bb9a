"""The reference runs, loaded once a session."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strategies.reference import RUNS


@pytest.fixture(params=RUNS, ids=lambda run: run.name)
def run(request: Any) -> Any:
    """Each of the five reference runs."""
    return request.param
