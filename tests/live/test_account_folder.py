"""An account's folder: its name fits every file system, and its owner alone may look in."""

import os
import stat

import pytest

from core.errors import ConfigError
from live.account_folder import account_folder, account_names


def test_what_a_session_keeps_lies_in_one_folder_named_after_the_account(tmp_path):
    folder = account_folder("demo", tmp_path / "accounts").make()

    names = {path.relative_to(folder.path).as_posix() for path in (
        folder.lock, folder.journal, folder.paper, folder.status, folder.commands, folder.kill,
        folder.log,
    )}  # fmt: skip
    assert folder.path == tmp_path / "accounts" / "demo"
    assert names == {
        "lock", "journal.sqlite", "paper.sqlite", "status.json", "commands", "KILL", "session.log",
    }  # fmt: skip
    assert folder.commands.is_dir()


def test_by_default_it_lies_under_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    account_folder("demo").make()

    assert (tmp_path / "accounts" / "demo").is_dir()
    assert account_names() == ["demo"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_its_owner_alone_may_look_in_even_if_it_was_open_before(tmp_path):
    (tmp_path / "demo").mkdir(mode=0o755)

    folder = account_folder("demo", tmp_path).make()

    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.commands.stat().st_mode) == 0o700


def test_making_it_again_changes_nothing(tmp_path):
    folder = account_folder("demo", tmp_path).make()
    folder.kill.write_text("{}")

    account_folder("demo", tmp_path).make()

    assert folder.kill.exists()


@pytest.mark.parametrize("name", ["demo", "prop-1", "Topstep.50k", "a", "7"])
def test_plain_names_are_taken_as_they_are(tmp_path, name):
    assert account_folder(name, tmp_path).path.name == name


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("my account", "my_account"),
        ("../etc", "etc"),
        ("a/b\\c", "a_b_c"),
        ("..", "account"),
        ("", "account"),
        (".hidden", "hidden"),
        ("Nul", "account_Nul"),
        ("com1.old", "account_com1.old"),
        ("trailing.", "trailing"),
        ("über", "ber"),
        ("a\x00b", "a_b"),
        ("x" * 200, "x" * 64),
    ],
)
def test_a_name_some_file_system_refuses_is_refused_with_a_better_one(tmp_path, name, proposal):
    with pytest.raises(ConfigError) as caught:
        account_folder(name, tmp_path)

    assert str(caught.value).endswith(f"call it {proposal!r}, for example")
    assert account_folder(proposal, tmp_path).name == proposal


def test_two_names_that_differ_only_in_capitals_are_one_too_many(tmp_path):
    account_folder("Demo", tmp_path).make()

    with pytest.raises(ConfigError, match="an account Demo is there"):
        account_folder("demo", tmp_path).make()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "demo").write_text("")

    with pytest.raises(ConfigError, match="move what is in the way"):
        account_folder("demo", tmp_path).make()


def test_where_no_account_has_run_there_are_no_names(tmp_path):
    assert account_names(tmp_path / "accounts") == []
