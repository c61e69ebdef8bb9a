"""The texts `init` writes: a `tola.toml` that runs at once and a `.env.example` without values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.config import BUNDLED_PLANS
from core.config_fields import CREDENTIALS, currency
from core.errors import ConfigError, near_name

MARKETS = ("gold", "nifty", "both")

_EXAMPLE_DATA = {"gold": "XAUUSD_M15.csv", "nifty": "nifty_1m.csv"}
_QUOTE = {"gold": "USD", "nifty": "INR"}
_VENUE_TITLES = {
    "ctrader": "cTrader",
    "kite": "Zerodha Kite (the access token lives until about 06:00 IST)",
    "upstox": "Upstox",
    "topstepx": "TopstepX",
    "metaapi": "MetaApi",
    "mstock": "mStock",
}


@dataclass(frozen=True)
class InitAnswers:
    """What `init` asks. market : gold, nifty or both. risk, currency : None leaves them out."""

    market: str = "gold"
    risk: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class InitTexts:
    """The two files' contents; rates : pairs whose exchange rate the user must fill in."""

    settings: str
    environment: str
    rates: tuple[str, ...] = ()


def init_texts(answers: InitAnswers, presets: Collection[str] | None = None) -> InitTexts:
    """Return the texts of `tola.toml` and `.env.example` for these answers.

    Parameters
    ----------
    answers : InitAnswers
        A preset whose name begins with `nifty` goes to the Nifty plan, any other to gold's, where
        both markets are chosen.
    presets : collection of str, optional
        Names of the risk presets, to check against.

    Raises
    ------
    ConfigError : one message with every wrong answer.
    """
    faults = []
    if answers.market not in MARKETS:
        faults.append(f"  market={answers.market}: unknown{near_name(answers.market, MARKETS)}")
    if answers.risk is not None and presets is not None and answers.risk not in presets:
        faults.append(f"  risk={answers.risk}: no such preset{near_name(answers.risk, presets)}")
    code = None
    if answers.currency is not None:
        try:
            code = currency(answers.currency)
        except ValueError as fault:
            faults.append(f"  currency={answers.currency}: {fault}")
    if faults:
        raise ConfigError("\n".join(["init: wrong answers", *faults]))
    plans = ("gold", "nifty") if answers.market == "both" else (answers.market,)
    parts = [_HEAD, *(_plan(name, plans, answers.risk, code) for name in plans), _SETTINGS]
    pairs = sorted({_QUOTE[name] + code for name in plans if code and _QUOTE[name] != code})
    if pairs:
        parts.append(_fx(pairs))
    return InitTexts("\n".join(parts), _environment(), tuple(pairs))


_HEAD = """\
# Tola. What trades, once, for every verb: `python run.py backtest gold`, `audit gold`, `live gold`.
# Flags override single values; each override is printed and stored with the run.
"""

_SETTINGS = """\
[settings]
# intrabar = "worst"          # which extreme of a bar came first: worst, nearest, best, drill
# fills = "tola"              # or "backtrader": its own fill rules
# news_spread = 3             # the spread is three times as wide around scheduled news
# instruments = "my_instruments.toml"   # your own contract facts and charges, merged over ours
# calendar = "my_calendar.toml"         # your own dates, merged over ours

[live]
# speed = 60                  # recorded prices are played 60 times faster; "max": without waiting
# history_bars = 1000         # bars of history before the first live one
# entry_age_secs = 10         # a bar that came later than this after its end brings no entry
# stale_secs = 30             # a feed silent for so long in an open market has a gap
# unprotected_secs = 5        # a position so long without a working stop is closed
# at_end = "flatten"          # or "keep"; left out: flatten on paper, keep on a real account
# at_roll = "roll"            # a held contract is left for the next one: roll, close or keep
# foreign = "pause"           # another hand trades here: count, pause that instrument, or halt
# restores_stops = true       # a stop moved by hand to more risk goes back
# balance_tolerance = 1.0     # money by which the venue's balance may differ; "off": not compared
# slippage_ticks = "off"      # ticks by which a real fill may be worse before verify fails; or 4
# reconnect_interval = 5      # seconds before a lost connection is tried again, doubled each time
# max_retries = 10            # tries in a row, and repetitions of one question
# retry_delay = 1             # seconds before a question is repeated, doubled each time
# burst_size = 10             # most questions under way at once

# [accounts.prop]             # fields of [live] may stand here, too: they hold on this account
# venue = "topstepx"
# environment = "demo"        # or "live"
# foreign = "halt"

# [groups.all]                # limits over several accounts together
# members = ["prop", "demo"]
# currency = "USD"            # other currencies by [fx]
# daily_loss = 1500           # all are flattened, and locked for the day
# open_risk = 1000            # no entry from there on
# gold_ounces = 300           # long, or short, together

[alerts]
# services = ["tgram://TOKEN/CHAT"]     # as the apprise package reads them; better TOLA_ALERTS
# ping = "https://hc-ping.com/ID"       # asked for while the session is well; better TOLA_PING
# ping_secs = 60
# per_minute = 1              # most alerts of a kind in a minute; the rest is counted
"""


def _plan(name: str, plans: tuple[str, ...], risk: str | None, code: str | None) -> str:
    values = BUNDLED_PLANS[name]
    lines = [f"[plans.{name}]", *(f'{key} = "{value}"' for key, value in values.items())]
    wanted = "nifty" if risk and risk.startswith("nifty") else "gold"
    if risk and (len(plans) == 1 or wanted == name):
        lines.append(f'risk = "{risk}"')
    if code:
        lines.append(f'currency = "{code}"')
    lines += [
        f'# data = "{_EXAMPLE_DATA[name]}"    # without it: the bundled synthetic prices',
        '# tz = "UTC"                  # zone of the file\'s stamps; ny+7 for MT5 server time',
    ]
    if name == "gold":
        lines.append('# with = { DXY = "dxy_1h.csv" }   # the dollar filter')
    lines += ["# params = { rr = 2.0 }       # python run.py strategies NAME lists them", ""]
    return "\n".join(lines)


def _fx(pairs: list[str]) -> str:
    lines = ["[fx]", "# Account money per 1.0 of the instrument's, or a file of its prices."]
    lines += [f"# {pair} = RATE" for pair in pairs]
    return "\n".join([*lines, ""])


def _environment() -> str:
    lines = [
        "# Copy to .env and fill in what you use; .env is ignored by git. Never commit it.",
        "",
        "PAPER_TRADING=True",
        "LOG_LEVEL=INFO",
        "# DATABASE_URL=postgresql://USER@HOST/NAME",
        "",
        "# Alerts: addresses as the apprise package reads them, commas between; what is asked for",
        "# while a session is well",
        "TOLA_ALERTS=",
        "TOLA_PING=",
    ]
    for venue, names in CREDENTIALS.items():
        lines += ["", f"# {_VENUE_TITLES[venue]}", *(f"{name}=" for name in names)]
    return "\n".join([*lines, ""])
