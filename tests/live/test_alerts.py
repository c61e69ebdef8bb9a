"""Alerts over real sockets: they arrive, they do not flood, and no trouble of theirs is ours."""

import io
import json
import logging
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.config import AlertSettings
from core.log import forget_secrets, redact, register_secrets
from live import alerts as alerts_module
from live import ping as ping_module
from live.alerts import AlertKind, Alerts, secret_parts

PATIENCE_SECS = 10.0


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    forget_secrets()


class Service:
    """A web server of the test's own that keeps what it was sent and when it was asked."""

    def __init__(self):
        self.sent, self.asked = [], []
        self.code, self.hold = 200, threading.Event()
        self.hold.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.hold.wait(PATIENCE_SECS)
                if service.code == 200:
                    service.sent.append(json.loads(body))
                self.answer()

            def do_GET(self):
                service.asked.append(time.monotonic())
                self.answer()

            def answer(self):
                self.send_response(service.code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"json://127.0.0.1:{self.port}/pl4nted-hook-1"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/ping/pl4nted-uuid-1"

    @property
    def texts(self):
        return [alert["message"] for alert in self.sent]

    def stop(self):
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service():
    served = Service()
    yield served
    served.stop()


@contextmanager
def session(*addresses, **given):
    """Alerts that are closed whatever happens."""
    alerts = Alerts(addresses, title="PAPER demo", **given)
    try:
        yield alerts
    finally:
        alerts.close(0.1)


def ours(caplog):
    """Return what our own loggers said."""
    return [record for record in caplog.records if record.name.startswith("live.")]


def eventually(condition, seconds=PATIENCE_SECS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def test_an_alert_reaches_the_service_with_mode_account_and_kind(service):
    with session(service.address) as alerts:
        alerts.send(AlertKind.FILL, "buy 3 MGC @ 2412.4")

        assert eventually(lambda: service.sent)

    assert (service.sent[0]["title"], service.sent[0]["message"], service.sent[0]["type"]) == (
        "PAPER demo: fill",
        "buy 3 MGC @ 2412.4",
        "info",
    )


@pytest.mark.parametrize("kind", list(AlertKind))
def test_each_kind_has_its_urgency(service, kind):
    with session(service.address) as alerts:
        alerts.send(kind, "x")

        assert eventually(lambda: service.sent)

    calm, bad = ("fill", "end_of_day"), ("unprotected", "killed", "error")
    expected = "info" if kind in calm else "failure" if kind in bad else "warning"
    assert service.sent[0]["type"] == expected


def test_of_a_kind_one_is_told_and_the_rest_is_counted_with_the_next(service):
    with session(service.address, per_minute=120) as alerts:  # one each half second
        alerts.send("fill", "first")
        assert eventually(lambda: service.texts == ["first"])
        for number in range(2, 6):
            alerts.send("fill", f"number {number}")
        alerts.send("lock", "another kind")
        assert eventually(lambda: len(service.sent) >= 2)
        at_once = list(service.texts)

        assert eventually(lambda: len(service.sent) == 3)

    assert at_once == ["first", "another kind"]
    assert service.texts[2] == "number 5 (and 3 more)"


def test_within_a_minute_a_second_of_its_kind_waits(service):
    with session(service.address) as alerts:
        alerts.send("fill", "first")
        assert eventually(lambda: service.sent)
        alerts.send("fill", "second")
        time.sleep(0.3)

        assert service.texts == ["first"]


def test_closing_tells_what_still_waits(service):
    alerts = Alerts([service.address])
    alerts.send("fill", "first")
    assert eventually(lambda: service.sent)
    alerts.send("fill", "second")
    alerts.send("fill", "third")

    alerts.close(PATIENCE_SECS)

    assert service.texts == ["first", "third (and 1 more)"]


def test_a_service_that_hangs_holds_up_nobody(service):
    other = Service()
    service.hold.clear()
    with session(service.address, other.address) as alerts:
        began = time.perf_counter()
        for number in range(1000):
            alerts.send("fill", f"number {number}")
            alerts.send("refused", f"number {number}")
        took = time.perf_counter() - began

        assert eventually(lambda: len(other.sent) == 2)

    assert took < 1.0
    assert service.sent == []
    other.stop()


def test_closing_does_not_wait_longer_than_asked_for_a_service_that_hangs(service):
    service.hold.clear()
    alerts = Alerts([service.address])
    alerts.send("fill", "first")
    began = time.perf_counter()

    alerts.close(0.2)

    assert time.perf_counter() - began < 1.0


def test_a_service_that_fails_is_logged_once_and_told_later(service, caplog):
    service.code = 500
    with (
        caplog.at_level(logging.INFO, logger="live"),
        session(service.address, per_minute=600) as alerts,
    ):
        alerts.send("error", "first")
        assert eventually(lambda: ours(caplog))
        alerts.send("error", "second")
        time.sleep(0.3)
        failures = len(ours(caplog))
        service.code = 200
        assert eventually(lambda: service.sent)

    assert failures == 1
    assert service.texts == ["second (and 1 more)"]
    said = [record.getMessage() for record in ours(caplog)]
    assert said[0].startswith("alert service 1 (json) does not take alerts: ")
    assert "500" in said[0]
    assert said[1] == "alert service 1 (json) takes alerts again"


def test_an_address_nobody_listens_at_is_logged_once_without_the_address():
    dead = Service()
    address = dead.address
    dead.stop()
    log = io.StringIO()
    handler = logging.StreamHandler(log)  # as other libraries' lines reach a log: as they are
    logging.getLogger().addHandler(handler)

    with session(address, per_minute=600) as alerts:
        alerts.send("error", "first")
        assert eventually(log.getvalue)
        time.sleep(0.25)

    logging.getLogger().removeHandler(handler)
    assert log.getvalue().count("alert service 1 (json) does not take alerts") == 1
    assert log.getvalue().count("\n") == 1
    assert "pl4nted" not in log.getvalue()


def test_what_was_refused_for_long_is_dropped(service, monkeypatch):
    monkeypatch.setattr(alerts_module, "GIVEN_UP_SECS", 0.0)
    service.code = 500
    with session(service.address, per_minute=600) as alerts:
        alerts.send("error", "first")
        assert eventually(lambda: not alerts._services[0]._is_well)
        service.code = 200
        time.sleep(0.3)

        assert service.sent == []


@pytest.mark.parametrize("address", ["nothing://x", "json://", "tgram://x"])
def test_an_address_apprise_does_not_understand_is_told_and_not_shown(address, caplog):
    with caplog.at_level(logging.WARNING, logger="live"), session(address) as alerts:
        alerts.send("fill", "x")

        assert eventually(lambda: ours(caplog))

    said = ours(caplog)[0].getMessage()
    assert "mend TOLA_ALERTS or [alerts] services" in said
    assert address not in said


def test_without_the_package_one_line_says_which_extra_to_install(monkeypatch, caplog):
    monkeypatch.setattr(alerts_module.importlib.util, "find_spec", lambda name: None)

    alerts = Alerts(["json://127.0.0.1:9/x", "json://127.0.0.1:9/y"])
    alerts.send("fill", "x")
    alerts.close()

    (record,) = caplog.records
    assert '2 alert service(s) are named, but the extra "live" is not installed' in (
        record.getMessage()
    )
    assert '-m pip install ".[live]"' in record.getMessage()


def test_without_services_nothing_is_started_and_nothing_loaded():
    before = threading.active_count()
    loaded = "apprise" in sys.modules

    alerts = Alerts()
    alerts.send("fill", "x")
    alerts.beat()
    alerts.close()

    assert threading.active_count() == before
    assert ("apprise" in sys.modules) is loaded


def test_the_last_few_are_kept_for_the_status_with_or_without_services():
    alerts = Alerts()

    for number in range(15):
        alerts.send("fill", f"number {number}\x1b[2J")

    assert [alert.text for alert in alerts.recent()] == [f"number {n} [2J" for n in range(5, 15)]
    assert alerts.recent()[0].kind == "fill"
    assert abs(alerts.recent()[-1].time - time.time_ns()) < 5e9


def test_secrets_are_cut_out_of_a_text(service):
    register_secrets(["pl4nted-secret"])
    with session(service.address) as alerts:
        alerts.send("token", "pl4nted-secret has expired; access_token=abcdefgh")

        assert eventually(lambda: service.sent)

    assert service.texts == ["*** has expired; access_token=***"]
    assert "pl4nted" not in alerts.recent()[0].text


@pytest.mark.parametrize(
    ("address", "secrets", "plain"),
    [
        ("tgram://123456789:AAEpl4nted_x/-100200300", ["123456789", "AAEpl4nted_x"], []),
        ("mailto://me:swordfish@gmail.com?to=you@x.org", ["swordfish"], ["gmail.com", "me"]),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", ["T1JJ3T3L2"], []),
        ("json://127.0.0.1:8080/notifications/pl4nted77", ["pl4nted77"],
         ["127.0.0.1", "8080", "notifications"]),
        ("https://hc-ping.com/0b1e9d3c-7a2f-4e55-8c1d", ["0b1e9d3c-7a2f-4e55-8c1d"],
         ["hc-ping.com"]),
        ("discord://998877/x%2By-p4ssw0rd", ["x+y-p4ssw0rd"], []),
    ],
)  # fmt: skip
def test_an_address_and_its_tokens_are_secrets_and_hosts_are_not(address, secrets, plain):
    parts = secret_parts([address])
    register_secrets(parts)

    assert address in parts
    assert not set(plain) & set(parts)
    assert redact(f"sent to {address} today") == "sent to *** today"
    for secret in secrets:
        assert redact(f"a {secret} b") == "a *** b"


def test_settings_make_alerts(service):
    alerts = Alerts.of(AlertSettings((service.address,), per_minute=60), "LIVE prop")

    alerts.send("lock", "daily_loss")
    alerts.close(PATIENCE_SECS)

    assert service.sent[0]["title"] == "LIVE prop: lock"


def test_the_ping_comes_with_the_first_beat_and_goes_on_while_the_engine_runs(service):
    with session(ping_url=service.url, ping_secs=0.1) as alerts:
        time.sleep(0.3)
        before = len(service.asked)
        for _ in range(100):
            alerts.beat()
            time.sleep(0.01)

    assert before == 0
    assert 5 <= len(service.asked) <= 11


def test_the_ping_stops_with_the_engines_heart_and_comes_back_with_it(service, monkeypatch, caplog):
    monkeypatch.setattr(ping_module, "FRESH_SECS", 0.3)
    with (
        caplog.at_level(logging.WARNING, logger="live"),
        session(ping_url=service.url, ping_secs=0.05) as alerts,
    ):
        alerts.beat()
        assert eventually(lambda: any("stands still" in r.getMessage() for r in caplog.records))
        stopped = len(service.asked)
        time.sleep(0.3)
        silent = len(service.asked)
        alerts.beat()

        assert eventually(lambda: len(service.asked) > silent)

    assert stopped >= 1
    assert silent == stopped
    assert len(caplog.records) == 1


def test_a_ping_nobody_answers_is_logged_once_without_its_address(service, caplog):
    service.code = 503
    with (
        caplog.at_level(logging.WARNING, logger="live"),
        session(ping_url=service.url, ping_secs=0.05) as alerts,
    ):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            alerts.beat()
            time.sleep(0.01)

    assert len(service.asked) >= 3
    (record,) = caplog.records
    assert "503" in record.getMessage()
    assert "pl4nted" not in record.getMessage()


def test_closed_it_pings_no_more(service):
    with session(ping_url=service.url, ping_secs=0.05) as alerts:
        alerts.beat()
        assert eventually(lambda: service.asked)
    time.sleep(0.1)
    asked = len(service.asked)
    alerts.beat()
    time.sleep(0.2)

    assert len(service.asked) == asked


def test_beating_on_every_cycle_costs_next_to_nothing(service):
    with session(ping_url=service.url) as alerts:
        began = time.perf_counter()

        for _ in range(100_000):
            alerts.beat()

        assert time.perf_counter() - began < 1.0
