"""Credentials from the environment, a vault that speaks KV v2 over HTTP, and the OS keyring."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from core.errors import ConfigError
from core.log import forget_secrets, redact
from core.secrets import secret_lookup

TOKEN = "s.planted-vault-token"


class Vault(BaseHTTPRequestHandler):
    """The part of Vault's HTTP that reads one secret of a KV v2 mount (hashicorp docs, kv-v2)."""

    def do_GET(self):
        if self.headers.get("X-Vault-Token") != TOKEN:
            return self._reply(403, {"errors": ["permission denied"]})
        if self.path.partition("?")[0] != "/v1/secret/data/tola":
            return self._reply(404, {"errors": []})
        inner = {"data": {"ZERODHA_API_SECRET": "from-the-vault"}, "metadata": {"version": 1}}
        return self._reply(200, {"request_id": "1", "data": inner})

    def _reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def vault(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Vault)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.delenv("TOLA_VAULT_PATH", raising=False)
    monkeypatch.delenv("ZERODHA_API_SECRET", raising=False)
    yield server
    server.shutdown()
    server.server_close()
    forget_secrets()


class Ring(KeyringBackend):
    """A keyring of the process."""

    priority = 1
    is_locked = False

    def get_password(self, service, username):
        if self.is_locked:
            raise KeyringLocked("locked")
        return {("tola", "ZERODHA_API_SECRET"): "from-the-keyring"}.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError


@pytest.fixture
def ring():
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)
    forget_secrets()


def test_the_environment_outranks_the_env_file(monkeypatch):
    monkeypatch.setenv("ZERODHA_API_KEY", "of the environment")
    monkeypatch.delenv("ZERODHA_API_SECRET", raising=False)

    look_up = secret_lookup("env", {"ZERODHA_API_KEY": "kept", "ZERODHA_API_SECRET": "kept too"})

    assert look_up("ZERODHA_API_KEY") == "of the environment"
    assert look_up("ZERODHA_API_SECRET") == "kept too"
    assert look_up("ZERODHA_USER_ID") is None


def test_a_vault_is_read_and_the_environment_fills_what_it_lacks(vault, monkeypatch):
    monkeypatch.setenv("ZERODHA_API_KEY", "of the environment")

    look_up = secret_lookup("vault")

    assert look_up("ZERODHA_API_SECRET") == "from-the-vault"
    assert look_up("ZERODHA_API_KEY") == "of the environment"
    assert redact(f"said from-the-vault with {TOKEN}") == "said *** with ***"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VAULT_TOKEN", "s.planted-other", "may not read it: renew the token"),
        ("TOLA_VAULT_PATH", "secret/other", "no such secret: TOLA_VAULT_PATH is MOUNT/PATH"),
        ("VAULT_ADDR", "http://127.0.0.1:9", "cannot be read"),
        ("VAULT_TOKEN", "", "set VAULT_ADDR and VAULT_TOKEN"),
    ],
    ids=["token", "path", "address", "nothing"],
)
def test_a_vault_that_cannot_be_read_says_what_to_do(vault, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as caught:
        secret_lookup("vault")("ZERODHA_API_SECRET")

    assert said in str(caught.value)
    assert "planted" not in str(caught.value)


def test_a_keyring_is_asked_by_service_and_variable(ring, monkeypatch):
    monkeypatch.delenv("ZERODHA_API_SECRET", raising=False)

    assert secret_lookup("keyring")("ZERODHA_API_SECRET") == "from-the-keyring"
    assert redact("from-the-keyring") == "***"


def test_a_locked_keyring_says_so(ring):
    ring.is_locked = True

    with pytest.raises(ConfigError, match=r"KeyringLocked\): unlock the keyring"):
        secret_lookup("keyring")("ZERODHA_API_SECRET")
