"""Where credentials are looked up: the environment and `.env`, HashiCorp Vault, the OS keyring.

One setting chooses (`[settings] secrets`). What the chosen place lacks is looked for in the
environment; nothing found is shown or stored.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import ConfigError
from core.log import redact, register_secrets

LookUp = Callable[[str], str | None]

SERVICE = "tola"
"""Name of the keyring's entries."""
VAULT_VARIABLES = ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "TOLA_VAULT_PATH")
DEFAULT_VAULT_PATH = "secret/tola"
_TIMEOUT_SECS = 10
_INSTALL = 'python -m pip install ".[secrets]"'


def secret_lookup(kind: str, dotenv: Mapping[str, str] | None = None) -> LookUp:
    """Return what finds a credential by the name of its variable.

    Parameters
    ----------
    kind : env, vault or keyring.
    dotenv : what `.env` holds; the environment outranks it.

    Notes
    -----
    vault reads one KV v2 secret, `VAULT_ADDR` with `VAULT_TOKEN`; TOLA_VAULT_PATH is its mount and
    path, `secret/tola` by default. It is read at the first look-up.
    keyring reads the entries of service `tola`, one a variable:
    `keyring set tola ZERODHA_API_SECRET`.
    """
    kept = dotenv or {}

    def of_environment(name: str) -> str | None:
        return os.environ.get(name) or kept.get(name) or None

    if kind == "env":
        return of_environment
    chosen = _Vault(of_environment) if kind == "vault" else _of_keyring

    def look_up(name: str) -> str | None:
        value = chosen(name)
        if value:
            register_secrets([value])
        return value or of_environment(name)

    return look_up


def _of_keyring(name: str) -> str | None:
    """Return an entry of the OS keyring.

    Raises
    ------
    ConfigError : it cannot be read.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(f"secrets = keyring: keyring is not installed: {_INSTALL}") from None
    try:
        return keyring.get_password(SERVICE, name)
    except KeyringError as fault:
        raise ConfigError(
            f"secrets = keyring: {name} cannot be read ({type(fault).__name__}): unlock the "
            "keyring, or secrets = env"
        ) from None


class _Vault:
    """One KV v2 secret, read once."""

    def __init__(self, settings: LookUp) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._values: Mapping[str, Any] | None = None

    def __call__(self, name: str) -> str | None:
        with self._lock:
            if self._values is None:
                self._values = self._read()
            value = self._values.get(name)
        return None if value is None else str(value)

    def _read(self) -> Mapping[str, Any]:
        try:
            import hvac
            from hvac.exceptions import Forbidden, InvalidPath, VaultError
            from requests.exceptions import RequestException
        except ImportError:
            raise ConfigError(f"secrets = vault: hvac is not installed: {_INSTALL}") from None
        address, token = self._settings("VAULT_ADDR"), self._settings("VAULT_TOKEN")
        if not address or not token:
            raise ConfigError("secrets = vault: set VAULT_ADDR and VAULT_TOKEN in the environment")
        register_secrets([token])
        mount, _, path = (self._settings("TOLA_VAULT_PATH") or DEFAULT_VAULT_PATH).partition("/")
        where = f"secrets = vault: {mount}/{path} at {redact(address)}"
        client = hvac.Client(
            url=address, token=token, namespace=self._settings("VAULT_NAMESPACE"),
            timeout=_TIMEOUT_SECS,
        )  # fmt: skip
        try:
            reply = client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=True
            )
            found: Mapping[str, Any] = reply["data"]["data"]
        except Forbidden:
            raise ConfigError(f"{where}: VAULT_TOKEN may not read it: renew the token") from None
        except InvalidPath:
            raise ConfigError(
                f"{where}: no such secret: TOLA_VAULT_PATH is MOUNT/PATH of a KV v2 secret"
            ) from None
        except (VaultError, RequestException, KeyError, TypeError, ValueError) as fault:
            raise ConfigError(
                f"{where} cannot be read ({type(fault).__name__}): is it running and unsealed?"
            ) from None
        return found
