"""The lock of an account: one session at a time, freed by any death, readable by all."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import TolaError
from core.processes import is_running
from live import lock as lock_module
from live.account_folder import account_folder
from live.lock import AccountLock, read_holder

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from live.account_folder import account_folder
from live import lock
{before}
held = lock.AccountLock(account_folder("demo", Path(sys.argv[1])), "paper", ["gold"])
held.acquire()
print("held", flush=True)
sys.stdin.read()
"""
WITHOUT_LOCKS = """
import errno
def refuse(file, *, shared=False):
    raise OSError(errno.ENOLCK, "no locks")
lock._take = refuse
"""


@pytest.fixture
def folder(tmp_path):
    return account_folder("demo", tmp_path).make()


@pytest.fixture(params=["locks", "no locks"])
def before(request, monkeypatch):
    """Code that another process runs first: with the system's locks, and where there are none."""
    if request.param == "locks":
        return ""

    def refuse(file, *, shared=False):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(lock_module, "_take", refuse)
    return WITHOUT_LOCKS


def other_session(folder, before=""):
    """Start a process that holds the account until it is ended."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(before=before), str(folder.path.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert other.stdout.readline() == "held\n"
    return other


def kill(process):
    process.kill()
    process.communicate()


def test_a_second_session_is_told_who_holds_the_account(folder, before):
    other = other_session(folder, before)

    with pytest.raises(TolaError) as caught:
        AccountLock(folder, "paper", ["gold"]).acquire()

    kill(other)
    assert re.match(
        rf"account demo is held by process {other.pid} on \S+ since \d{{4}}-\d\d-\d\dT[\d:]+Z "
        r"\(paper gold\): end it, or ask it: python run.py status",
        str(caught.value),
    )


def test_a_killed_session_leaves_the_account_free(folder, before):
    kill(other_session(folder, before))

    with AccountLock(folder, "paper", ["gold"]) as lock:
        assert lock.is_held


def test_who_holds_it_can_be_read_while_it_is_held(folder, before):
    with AccountLock(folder, "live", ["gold", "nifty"]):
        holder = read_holder(folder)

    assert (holder.account, holder.pid, holder.mode, holder.plans) == (
        "demo",
        os.getpid(),
        "live",
        ("gold", "nifty"),
    )
    assert read_holder(folder) is None


def test_reading_a_killed_sessions_lock_finds_nobody(folder, before):
    kill(other_session(folder, before))

    assert read_holder(folder) is None


def test_an_account_that_never_ran_is_held_by_nobody(tmp_path):
    assert read_holder(account_folder("demo", tmp_path)) is None


def test_released_it_can_be_taken_again_in_the_same_process(folder, before):
    first, second = AccountLock(folder, "paper", []), AccountLock(folder, "paper", [])
    first.acquire()
    with pytest.raises(TolaError):
        second.acquire()

    first.release()
    second.acquire()

    assert (first.is_held, second.is_held) == (False, True)
    second.release()


def test_many_readers_do_not_keep_a_session_out(folder):
    readers = [
        subprocess.Popen(
            [sys.executable, "-c",
             "import sys\nfrom pathlib import Path\nfrom live.lock import read_holder\n"
             "from live.account_folder import account_folder\n"
             "folder = account_folder('demo', Path(sys.argv[1]))\n"
             "print(flush=True)\n"
             "for _ in range(20000): read_holder(folder)", str(folder.path.parent)],
            cwd=ROOT, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for reader in readers:
        reader.stdout.readline()

    for _ in range(20):
        with AccountLock(folder, "paper", ["gold"]):
            assert read_holder(folder).pid == os.getpid()

    for reader in readers:
        kill(reader)


def test_a_lock_whose_file_was_deleted_says_it_is_not_held(folder):
    with AccountLock(folder, "paper", ["gold"]) as lock:
        held = lock.is_held
        folder.lock.unlink()

        assert (held, lock.is_held) == (True, False)


def test_a_stand_in_of_another_computer_counts_and_says_how_to_be_rid_of_it(folder, monkeypatch):
    def refuse(file, *, shared=False):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(lock_module, "_take", refuse)
    with AccountLock(folder, "paper", ["gold"]):
        stand_in = next(folder.path.glob("lock.pid"))
        text = stand_in.read_text()
    stand_in.write_text(re.sub('"host": "[^"]*"', '"host": "elsewhere"', text))

    with pytest.raises(TolaError, match=r"on elsewhere .* if it is gone for good, delete .*pid"):
        AccountLock(folder, "paper", ["gold"]).acquire()


def test_a_folder_that_is_gone_is_told_in_words(tmp_path):
    with pytest.raises(TolaError, match="must be writable"):
        AccountLock(account_folder("demo", tmp_path / "away"), "paper", []).acquire()


def test_a_process_is_known_to_run_until_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    before = is_running(child.pid)
    child.communicate()

    assert (before, is_running(child.pid)) == (True, False)
    assert is_running(os.getpid())
    assert not any(map(is_running, (0, -1, 2**40)))
