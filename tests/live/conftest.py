"""A PostgreSQL server of the tests' own, where its programs are installed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa


class PostgresServer:
    """A throw-away cluster on a free port of this machine, run by another user than root."""

    def __init__(self, programs, as_user):
        self.home = Path(tempfile.mkdtemp(prefix="tola-postgres-"))
        self.port = _free_port()
        self.url = f"postgresql+psycopg://tola@127.0.0.1:{self.port}/postgres"
        self._programs, self._as_user = programs, as_user
        self._cluster = self.home / "cluster"
        if as_user:
            shutil.chown(self.home, "postgres")
        self._run("initdb", "-D", self._cluster, "-U", "tola", "--auth=trust", "--no-sync")

    def _run(self, program, *arguments):
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.home)

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={self.home}"
        log = self.home / "log"
        self._run("pg_ctl", "-D", self._cluster, "-w", "-l", log, "-o", options, "start")

    def stop(self, how="immediate"):
        """Stop it; immediate is as a crash: nothing in its memory reaches the disk."""
        self._run("pg_ctl", "-D", self._cluster, "-w", "-m", how, "stop")

    def freeze(self):
        """Let it hang without a word; the answer lets it go on."""
        mine = [self.pid, *_children(self.pid)]
        for pid in mine:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in mine:
                os.kill(pid, signal.SIGCONT)

        return go_on

    @property
    def pid(self):
        return int((self._cluster / "postmaster.pid").read_text().split()[0])

    def make_database(self, options=""):
        """The address of an empty database."""
        name = f"tola_{uuid.uuid4().hex[:10]}"
        self.command(f"CREATE DATABASE {name} {options}")
        return sa.make_url(self.url).set(database=name).render_as_string()

    def clear(self, url):
        """Drop what tests made in a database, and whoever still holds it."""
        self.command(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            url,
        )
        made = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tola%'"
        for (schema,) in self.command(made, url):
            self.command(f'DROP SCHEMA "{schema}" CASCADE', url)

    def command(self, statement, url=None):
        """The rows of a statement, as the server's owner."""
        engine = sa.create_engine(url or self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            found = connection.execute(sa.text(statement))
            rows = found.all() if found.returns_rows else []
        engine.dispose()
        return rows


def _children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def _programs():
    """Return the folder of PostgreSQL's server programs, None where there are none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [folder for folder in folders if (folder / "initdb").exists()]
    on_path = shutil.which("initdb")
    return found[0] if found else (Path(on_path).parent if on_path else None)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _running_server():
    programs = _programs()
    if programs is None or os.name == "nt":
        pytest.skip("PostgreSQL's server programs are not installed")
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        known = subprocess.run(["id", "postgres"], capture_output=True).returncode == 0
        if not known or shutil.which("runuser") is None:
            pytest.skip("run as root, and there is no user postgres to run the server as")
        as_user = ["runuser", "-u", "postgres", "--"]
    try:
        server = PostgresServer(programs, as_user)
        server.start()
    except subprocess.CalledProcessError as cause:
        pytest.skip(f"PostgreSQL does not start here: {cause.stderr.decode()[-200:]}")
    yield server
    server.stop()
    shutil.rmtree(server.home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server():
    """A running server for all tests; skips with a reason where there can be none."""
    with _running_server() as server:
        yield server


@pytest.fixture
def fragile_server():
    """A running server of one test, which may stop, freeze or fill it."""
    with _running_server() as server:
        yield server


@pytest.fixture(scope="session")
def _postgres_database(postgres_server):
    return postgres_server.make_database()


@pytest.fixture
def postgres_url(postgres_server, _postgres_database):
    """The address of an empty database."""
    yield _postgres_database
    postgres_server.clear(_postgres_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_url(request, tmp_path):
    """Where a journal may be made: the same test for both databases."""
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
