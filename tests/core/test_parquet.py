"""Columns written as Parquet: read back equal, and pandas stays unloaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.parquet import write_columns

ROOT = Path(__file__).resolve().parents[2]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=40),
    seed=st.integers(0, 1000),
)
def test_numbers_and_text_read_back_as_they_were(tmp_path, words, seed):
    rng = np.random.default_rng(seed)
    records = np.zeros(len(words), [("time", "i8"), ("day", "i4"), ("price", "f8")])
    records["time"] = np.sort(rng.integers(-(2**62), 2**62, len(words)))
    records["day"] = rng.integers(-5, 5, len(words))
    records["price"] = np.where(rng.random(len(words)) < 0.2, np.nan, rng.normal(size=len(words)))
    columns = {name: records[name] for name in records.dtype.names}
    columns["word"] = np.array(words, object)
    path = tmp_path / "columns.parquet"
    write_columns(path, columns, rising=("time",), repeating=("day",))
    frame = pd.read_parquet(path)
    assert list(frame) == list(columns)
    for name, values in columns.items():
        assert np.array_equal(frame[name].to_numpy(values.dtype), values, equal_nan=name == "price")
        assert name == "word" or frame[name].dtype == values.dtype


def test_writing_loads_no_pandas(tmp_path):
    code = (
        "import sys, numpy as np; from pathlib import Path; from core.parquet import write_columns;"
        f"write_columns(Path({str(tmp_path / 'a.parquet')!r}),"
        "{'a': np.arange(3), 'b': np.array(['x', 'y', 'z'], object)});"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
