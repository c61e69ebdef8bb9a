"""Only the guard makes an approval."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "indicators", "strategies", "feeds", "brokers", "risk", "backtests", "live",
            "reports", "web", "sandbox", "cli")  # fmt: skip


def constructor_calls(path):
    """Return the lines of a source on which an `Approved` is made, by whatever name it goes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {"Approved"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {item.asname for item in node.names if item.name == "Approved" and item.asname}
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        made = node.func.value if isinstance(node.func, ast.Subscript) else node.func
        name = made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", "")
        if name in names:
            lines.append(node.lineno)
    return lines


def test_only_the_guard_makes_an_approval():
    found = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if constructor_calls(path)
    }
    found |= {"run.py"} if constructor_calls(ROOT / "run.py") else set()

    assert found == {"risk/guard.py"}


def test_the_search_sees_subscripts_attributes_and_other_names(tmp_path):
    source = tmp_path / "source.py"
    source.write_text(
        "from core.orders import Approved as Yes\n"
        "import core.orders as o\n"
        "Yes(1)\n"
        "o.Approved(2)\n"
        "o.Approved[int](3)\n"
    )

    assert constructor_calls(source) == [3, 4, 5]
