"""Colours, folding, code pages and closed pipes, as a shell sees them."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from core.terminal import can_hold, fold, make_writable, paint, wants_color
from tests.cli import market

ROOT = Path(__file__).resolve().parents[2]
ESC = "\x1b["


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("env", "refused", "terminal", "wanted"),
    [
        ({}, False, True, True),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"NO_COLOR": "1"}, False, True, False),
        ({"NO_COLOR": ""}, False, True, True),
        ({"FORCE_COLOR": "1"}, False, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, False, True),
        ({"FORCE_COLOR": "0"}, False, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False, False),
        ({"FORCE_COLOR": "1"}, True, False, False),
        ({"TERM": "dumb"}, False, True, False),
        ({"CLICOLOR": "0"}, False, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, True, True),
    ],
    ids=str,
)
def test_who_decides_about_colours(env, refused, terminal, wanted):
    stream = Terminal() if terminal else io.StringIO()

    assert wants_color(stream, refused=refused, env=env) is wanted


@pytest.mark.parametrize(
    ("line", "colored"),
    [
        ("net -$3,874 (-3.9 %)", ["-$3,874", "-3.9 %"]),
        ("net +12,300 INR, +0.21 R [-0.10, +0.52]", ["+12,300 INR", "+0.21 R"]),
        ("worst day -$563 of -$1,934", ["-$563"]),
        ("+$0 (+0.0 %)  2025-09-15  --set rr=3  12:00", []),
        ("  note: gold: late", ["note"]),
        ("note gold", ["note"]),
        ("noted", []),
        ("error: no such file", ["error"]),
        ("FAIL  numba: not installed", ["FAIL"]),
        ("ok    numba: 0.61", ["ok"]),
        ("40 trades  no edge shown, only 40 trades", ["no edge shown"]),
        ("40 trades  loses", ["loses"]),
        ("next: python run.py runs list", ["next:"]),
    ],
)
def test_what_is_coloured(line, colored):
    painted = paint(line)

    found = [part.partition("m")[2] for part in painted.split(ESC)[1::2]]
    assert found == colored
    for code in ("31", "32", "33", "36", "1;31", "0"):
        painted = painted.replace(f"{ESC}{code}m", "")
    assert painted == line


@pytest.mark.parametrize("columns", [40, 60, 79, 200])
def test_folded_lines_fit_and_lose_no_word(columns):
    line = (
        "  gold: bars 29,423 > in window 8,988 > sweeps 1,012 > shifts 240    dropped: dxy 68, "
        "no retest 61, no zone 18, target first 15"
    )

    parts = fold(line, columns)

    assert all(len(part) <= columns for part in parts)
    assert " ".join(parts).split() == line.split()
    assert all(part.startswith("      ") for part in parts[1:])


def test_a_word_longer_than_the_line_stays_whole():
    path = "/a/very/long/folder/that/does/not/fit/in/forty/columns/report.html"

    assert [part.strip() for part in fold(f"report {path} 3.1 s", 40)] == ["report", path, "3.1 s"]


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [("ascii", "caf\\xe9 -> x 3"), ("cp1252", "café -> × 3"), ("utf-8", "café → × 3")],
)
def test_letters_a_code_page_lacks_are_spelled(encoding, wanted):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")

    make_writable(stream)
    stream.write("café → × 3".replace("× 3", "x 3" if encoding == "ascii" else "× 3"))
    stream.flush()

    assert raw.getvalue().decode(encoding) == wanted
    assert can_hold(stream, "plain")


def command(*words, cwd, env=None, **given):
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words],
        cwd=cwd, env={**os.environ, **(env or {})}, timeout=120, **given,
    )  # fmt: skip


CODE_PAGES = {
    "ascii": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
}


@pytest.mark.parametrize("env", CODE_PAGES.values(), ids=CODE_PAGES)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_names_outside_the_code_page_are_printed_all_the_same(tmp_path, env, as_json):
    folder = tmp_path / "preise-金-é"
    folder.mkdir()
    market.write(folder / "XAUUSD_M15.csv")

    words = ["data", "list", "preise-金-é", *(["--json"] if as_json else [])]
    done = command(*words, cwd=tmp_path, env=env, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
    if as_json:
        document = json.loads(done.stdout.decode(env.get("PYTHONIOENCODING", "utf-8")))
        name = document["folder"].encode("utf-8", "surrogateescape").decode()
        assert name == "preise-金-é"
    else:
        assert b"XAUUSD" in done.stdout
        assert done.stdout.splitlines()[-1].startswith(b"next: ")


def test_force_color_colours_a_pipe_and_no_color_anywhere_does_not(tmp_path):
    env = {"FORCE_COLOR": "1"}

    colored = command("runs", "list", cwd=tmp_path, env=env, capture_output=True, text=True)
    plain = [
        command(*words, cwd=tmp_path, env=env, capture_output=True, text=True)
        for words in (["--no-color", "runs", "list"], ["runs", "--no-color", "list"],
                      ["runs", "list", "--no-color"])
    ]  # fmt: skip
    wrong = command("runs", "show", "9", cwd=tmp_path, env=env, capture_output=True, text=True)

    assert colored.stdout == f"no runs yet\n{ESC}36mnext:{ESC}0m python run.py backtest\n"
    assert {done.stdout for done in plain} == {"no runs yet\nnext: python run.py backtest\n"}
    assert wrong.stderr.startswith(f"{ESC}1;31merror{ESC}0m:")


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes as POSIX has them")
@pytest.mark.parametrize("words", [["strategies"], ["data", "list", "--json"], ["--help"]], ids=str)
def test_a_reader_that_leaves_is_no_error(tmp_path, words):
    reader, writer = os.pipe()
    os.close(reader)

    done = command(*words, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)

    assert done.stderr == b""
    assert done.returncode in (0, 1)


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
def test_a_narrow_terminal_gets_colours_and_lines_that_fit(tmp_path):
    import pty

    outside, inside = pty.openpty()
    env = {"COLUMNS": "50", "TERM": "xterm"}
    env |= dict.fromkeys(("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"), "")

    command("strategies", "--quiet", cwd=tmp_path, env=env, stdout=inside, stderr=inside)
    os.close(inside)
    text = b""
    try:
        while chunk := os.read(outside, 65536):
            text += chunk
    except OSError:  # Linux ends a closed terminal so
        pass

    lines = text.decode().splitlines()
    assert f"{ESC}36mnext:" in lines[-1]
    assert all(len(line) <= 50 for line in lines[:-1])
    assert any(line.startswith("    ") for line in lines)


@pytest.mark.parametrize(
    "words",
    [["-q", "strategies"], ["strategies", "-q"], ["--quiet", "doctor"], ["data", "-q", "list"]],
)
def test_quiet_may_stand_anywhere(tola, words):
    assert tola(*words).code == 0


def test_h_is_help_everywhere_and_the_version_is_told(tola):
    assert tola("-h").out == tola("--help").out
    assert tola("runs", "show", "-h").out == tola("runs", "show", "--help").out
    assert tola("--version").out == "Tola 0.1.0\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the shell closes and fills streams")
@pytest.mark.parametrize("words", ["strategies", "strategies --json"])
def test_an_output_that_is_closed_is_no_fault(words):
    done = _in_shell(f"{words} >&-")

    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", ["strategies", "strategies --json"])
def test_an_output_on_a_full_disk_is_one_line(words):
    done = _in_shell(f"{words} >/dev/full")

    assert done.returncode == 1
    assert done.stderr == "error: standard output: No space left on device\n"


def _in_shell(line):
    return subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} run.py {line}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", ["--json strategies", "data --json list .", "runs --json list"])
def test_json_is_heard_before_the_verb(tola, words):
    said = tola(*words.split())

    assert said.code == 0
    assert isinstance(json.loads(said.out), dict)
