"""What docs/sandbox.md shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.faults import Kind, read_plan

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


def test_the_program_runs():
    (program,) = blocks("python")

    exec(compile(program, "docs/sandbox.md", "exec"), {})


def test_the_plan_is_one(tmp_path):
    (plan,) = blocks("toml")
    path = tmp_path / "plan.toml"
    path.write_text(plan)

    assert read_plan(path).seed == 7


def test_every_kind_of_fault_is_taught():
    missing = [kind.value for kind in Kind if f"`{kind.value}`" not in PAGE]

    assert missing == []
