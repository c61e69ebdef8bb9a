from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from core.log import PACKAGES, configure, forget_secrets, redact, register_secrets

SECRET = "pl4nted+se/cret=="


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, loggers = root.handlers[:], [root, *(logging.getLogger(name) for name in PACKAGES)]
    levels = [logger.level for logger in loggers]
    lines = io.StringIO()
    configure("DEBUG", lines, [SECRET])
    yield lines
    forget_secrets()
    root.handlers[:] = kept
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        "GET /orders?api_key=planted123&access_token=planted456&page=2",
        'reply {"access_token": "planted123", "refreshToken": "planted456", "user": "ab"}',
        "{'apiKey': 'planted123', 'password': b'planted456'}",
        "Authorization: token planted123:planted456",
        "headers={'Authorization': 'Bearer planted123', 'X-Api-Key': 'planted456'}",
        "postgresql://tola:planted123@db:5432/tola and redis://:planted456@cache",
        "TOTP_SECRET=planted123 totp: planted456",
        "Login(client_secret='planted123', pin='planted456')",
        "jwt eyJhbGciOi.eyJwbGFudGVkMTIz.planted456 ends",
        "cookie: planted123; session_id=planted456",
        'escaped {"secret": "a\\"planted123"} passwd = planted456',
    ],
)
def test_secrets_known_by_name_are_cut_out(text: str) -> None:
    clean = redact(text)

    assert "planted" not in clean
    assert "***" in clean


@pytest.mark.parametrize(
    "text",
    [
        "instrument_token=256265 exchange_token=1001",
        "mapping=gold shipping: late, tokenless",
        "no token for TopstepX",
        "filled symbol=MGC price=2412.4 order_id=17",
        "https://api.kite.trade/orders?page=2",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_registered_value_is_cut_out_wherever_it_stands(stream: io.StringIO) -> None:
    logger = logging.getLogger("core.test")

    logger.info("value %s in args, dict %r", SECRET, {"x": SECRET})
    logger.info("encoded https://host/path/pl4nted%2Bse%2Fcret%3D%3D?x=1")
    logger.info(json.dumps({"blob": SECRET}))

    text = stream.getvalue()
    assert text.count("***") == 4
    assert "pl4nted" not in text


def test_exception_texts_and_their_causes_are_clean(stream: io.StringIO) -> None:
    try:
        try:
            raise ConnectionError(f"refused by wss://ws.kite.trade?access_token=planted&x={SECRET}")
        except ConnectionError as cause:
            raise RuntimeError(f"login failed for {SECRET}") from cause
    except RuntimeError:
        logging.getLogger("feeds.test").exception("cannot connect")

    text = stream.getvalue()
    assert "Traceback" in text and "ConnectionError" in text
    assert "planted" not in text and "pl4nted" not in text


def test_another_librarys_record_is_clean_too(stream: io.StringIO) -> None:
    logging.getLogger("urllib3.connectionpool").warning("retry %s", "/x?api_secret=planted")
    logging.getLogger("urllib3.connectionpool").info("quiet below WARNING")

    assert "planted" not in stream.getvalue()
    assert "quiet" not in stream.getvalue()
    assert "api_secret=***" in stream.getvalue()


def test_configuring_twice_writes_each_line_once(stream: io.StringIO) -> None:
    again = io.StringIO()

    configure("INFO", again)
    logging.getLogger("risk.test").info("once")
    logging.getLogger("risk.test").debug("not at INFO")

    assert again.getvalue().count("once") == 1
    assert "once" not in stream.getvalue()
    assert "not at INFO" not in again.getvalue()


def test_a_registered_value_is_found_in_its_escaped_forms() -> None:
    secret = 'quote"and\\slash'
    register_secrets([secret])

    try:
        assert redact(f"{json.dumps([secret])} {[secret]!r}") == "[\"***\"] ['***']"
    finally:
        forget_secrets()


def test_short_values_are_not_registered() -> None:
    register_secrets(["abc"])

    assert redact("abc in a sentence") == "abc in a sentence"


def test_a_longer_secret_that_holds_a_shorter_one_goes_whole() -> None:
    register_secrets(["hunter22", "hunter22-and-more"])

    try:
        assert redact("x hunter22-and-more y") == "x *** y"
    finally:
        forget_secrets()


def test_a_brief_line_has_level_and_message_alone_and_no_secret() -> None:
    stream = io.StringIO()
    configure("WARNING", stream, brief=True)

    logging.getLogger("core.x").warning("token=abcdefgh12 is %s", "old")

    assert stream.getvalue() == "warning: token=*** is old\n"
