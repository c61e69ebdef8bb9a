"""Loading a user's strategy file and naming its faults."""

from __future__ import annotations

import pytest

from backtests.usercode import load_strategy
from core.config_fields import is_file_name
from core.errors import ConfigError, StrategyError

GOOD = "import backtrader as bt\nclass Cross(bt.Strategy):\n    pass\n"


def write(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_class_is_found_by_name(tmp_path):
    path = write(tmp_path, GOOD)

    assert load_strategy(f"{path}:Cross").__name__ == "Cross"


def test_the_only_class_needs_no_name(tmp_path):
    path = write(tmp_path, GOOD)

    assert load_strategy(str(path)).__name__ == "Cross"


def test_an_unknown_class_suggests_the_near_one(tmp_path):
    path = write(tmp_path, GOOD)

    with pytest.raises(ConfigError, match="did you mean 'Cross'"):
        load_strategy(f"{path}:Crosss")


def test_a_missing_file_suggests_the_near_one(tmp_path):
    write(tmp_path, GOOD)

    with pytest.raises(ConfigError, match=r"did you mean '.*mine\.py'"):
        load_strategy(f"{tmp_path / 'mime.py'}:Cross")


def test_a_file_without_a_strategy_says_so(tmp_path):
    path = write(tmp_path, "x = 1\n")

    with pytest.raises(ConfigError, match=r"defines no backtrader\.Strategy"):
        load_strategy(str(path))


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = a / 0\n", 2), ("def f(:\n", 1), ("import backtrader\nimport nowhere\n", 2)],
    ids=["raises", "syntax", "import"],
)
def test_a_file_that_raises_names_its_line(tmp_path, text, line):
    path = write(tmp_path, text)

    with pytest.raises(StrategyError, match=rf"mine\.py:{line}: "):
        load_strategy(str(path))


def test_short_names_are_not_files():
    assert is_file_name("a/b.py:C")
    assert not is_file_name("gold_smc")
