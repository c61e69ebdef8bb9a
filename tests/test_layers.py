"""The import layers, POSIX-only imports, and imports that must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("core", "indicators", "risk", "feeds", "brokers", "strategies", "backtests", "live",
        "reports", "sandbox", "cli")  # fmt: skip

MAY_IMPORT = {
    "core": {"core"},
    "indicators": {"indicators", "core"},
    "risk": {"risk", "core"},
    "feeds": {"feeds", "core"},
    "brokers": {"brokers", "core", "feeds"},
    "strategies": {"strategies", "core", "indicators"},
    "backtests": set(OURS) - {"reports", "live", "sandbox", "cli"},
    "live": set(OURS) - {"reports", "sandbox", "cli"},
    "reports": {"reports", "core"},
    "sandbox": {"sandbox", "core", "brokers"},
    "cli": set(OURS),
}
CORE_LIBRARIES = {"numpy", "numba", "pandas", "pandas_market_calendars", "pydantic",
                  "pydantic_settings", "pyarrow", "hvac", "keyring", "requests"}  # fmt: skip
"""core's outside libraries; those after pandas only inside the functions that need them."""
LAZY = {"pandas_market_calendars", "plotly", "matplotlib", "pyarrow", "pydantic", "scipy",
        "xlsxwriter", "apprise", "hvac", "keyring", "kiteconnect", "twisted", "requests",
        "urllib3", "optuna", "distributed", "dask"}  # fmt: skip
POSIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline",
              "curses", "posix"}  # fmt: skip


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path):
    """Yield (name, line, at top level of the module, inside try or an `if`) of each import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
            names = [f"{package}.{node.module}" if node.level else node.module]
        else:
            continue
        above, node_above = [], node
        while node_above in parents:
            node_above = parents[node_above]
            above.append(node_above)
        top = not any(isinstance(a, ast.FunctionDef | ast.AsyncFunctionDef) for a in above)
        typing_only = any(isinstance(a, ast.If) and "TYPE_CHECKING" in ast.dump(a.test)
                          for a in above)  # fmt: skip
        guarded = any(isinstance(a, ast.Try | ast.If) for a in above)
        for name in names:
            yield name, node.lineno, top and not typing_only, guarded


ALL = [path for package in OURS for path in modules(package)] + [ROOT / "run.py"]


@pytest.mark.parametrize("package", OURS)
def test_a_package_imports_only_the_layers_below_it(package):
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line, _, _ in imports(path)
        if name.split(".")[0] in (*OURS, "run", "tests")
        and name.split(".")[0] not in MAY_IMPORT[package]
    ]

    assert not wrong


def test_the_sandbox_shares_a_venues_wire_and_nothing_else_of_brokers():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("sandbox")
        for name, line, _, _ in imports(path)
        if name.split(".")[0] == "brokers" and name.split(".")[2:3] != ["wire"]
    ]

    assert not wrong


@pytest.mark.parametrize("package", ["core", "reports", "sandbox"])
def test_core_reports_and_sandbox_do_not_know_backtrader(package):
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules(package)
        for name, line, _, _ in imports(path)
        if name.split(".")[0] == "backtrader"
    ]

    assert not wrong


def test_core_uses_only_the_libraries_it_may():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("core")
        for name, line, _, _ in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names | CORE_LIBRARIES | {"core"}
    ]

    assert not wrong


def test_numba_is_imported_by_core_compile_alone():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ALL
        for name, _, _, _ in imports(path)
        if name.split(".")[0] == "numba"
    }

    assert found == {"core/compile.py"}


def test_posix_only_modules_have_a_fallback():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in ALL
        for name, line, _, guarded in imports(path)
        if name.split(".")[0] in POSIX_ONLY and not guarded
    ]

    assert not wrong


def test_heavy_libraries_are_imported_where_they_are_used():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name} at its head"
        for path in ALL
        for name, line, top, _ in imports(path)
        if top and name.split(".")[0] in LAZY
    ]

    assert not wrong


def test_the_import_reader_sees_a_breach(tmp_path, monkeypatch):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "bad.py").write_text(
        "import fcntl\ndef f():\n    from risk import guard\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)

    found = [(name, top) for name, _, top, _ in imports(tmp_path / "core" / "bad.py")]

    assert found == [("fcntl", True), ("risk", False)]


def test_importing_any_module_reads_no_setting_and_starts_no_thread():
    names = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for package in OURS
        for path in modules(package)
        if path.name not in ("__init__.py", "__main__.py")
    ]
    program = (
        "import sys, threading, builtins, io\n"
        "opened = []\n"
        "def spy(event, args):\n"
        "    if event == 'open' and isinstance(args[0], str):\n"
        "        opened.append(args[0])\n"
        "    elif event == 'socket.connect':\n"
        "        opened.append(str(args))\n"
        "import core.compile, backtrader, pandas\n"
        "sys.addaudithook(spy)\n"
        f"for name in {names!r}:\n"
        "    __import__(name)\n"
        "bad = [o for o in opened if o.endswith(('.toml', '.env', '.csv', '.gz', '.ini'))]\n"
        "print(bad, threading.active_count())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[] 1"


def test_help_comes_at_once_and_loads_nothing_heavy():
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "run.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = time.perf_counter() - began
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}

    assert not loaded & {"numpy", "numba", "pandas", "backtrader", "matplotlib", "plotly", "rich"}
    assert took < 2.0
