"""A PostgreSQL server of the tests' own, where its programs are installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa


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


@pytest.fixture(scope="session")
def postgres_server():
    """The address of a running server; skips with a reason where there can be none."""
    programs = _programs()
    if programs is None or os.name == "nt":
        pytest.skip("PostgreSQL's server programs are not installed")
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        known = subprocess.run(["id", "postgres"], capture_output=True).returncode == 0
        if not known or shutil.which("runuser") is None:
            pytest.skip("run as root, and there is no user postgres to run the server as")
        as_user = ["runuser", "-u", "postgres", "--"]
    home = Path(tempfile.mkdtemp(prefix="tola-postgres-"))
    port, cluster = _free_port(), home / "cluster"
    if as_user:
        shutil.chown(home, "postgres")

    def run(*command):
        subprocess.run([*as_user, *map(str, command)], check=True, capture_output=True, cwd=home)

    try:
        run(programs / "initdb", "-D", cluster, "-U", "tola", "--auth=trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home}"
        run(programs / "pg_ctl", "-D", cluster, "-w", "-l", home / "log", "-o", options, "start")
    except subprocess.CalledProcessError as cause:
        shutil.rmtree(home, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {cause.stderr.decode()[-200:]}")
    yield f"postgresql+psycopg://tola@127.0.0.1:{port}/postgres"
    run(programs / "pg_ctl", "-D", cluster, "-m", "immediate", "stop")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server):
    """The address of an empty database."""
    name = f"tola_{uuid.uuid4().hex[:10]}"
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return sa.make_url(postgres_server).set(database=name).render_as_string()
