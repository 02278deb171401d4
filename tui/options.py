"""The options of ``run``: one table for the command line and the form of a new run.

Text becomes a ``RunRequest`` here; whether its numbers make sense together is for the engine,
which checks every request whatever made it.
"""

from __future__ import annotations

import difflib
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from engine.errors import InvalidOption, InvalidParameter, NotAvailable
from engine.model import Costs, FillRule, Rules, RunRequest

Value = str | Sequence[str] | bool | None
Kind = Literal["text", "number", "integer", "date", "choice", "list", "many", "flag", "switch"]

PROFILES: Final[Mapping[str, Costs]] = {
    "none": Costs("none", sec=False, taf=False, slippage_bps=0.0),
    "us-equity": Costs(),
    "sec": Costs("sec", taf=False, slippage_bps=0.0),
    "taf": Costs("taf", sec=False, slippage_bps=0.0),
    "sec,taf": Costs("sec,taf", slippage_bps=0.0),
}
TIMEFRAMES: Final = ("1Min", "5Min", "15Min", "1Hour", "1Day")
CALENDARS: Final = ("XNYS", "24/7", "none")
UNIVERSES: Final = ("djia30",)
ISOLATE_MB: Final = RunRequest("buy_and_hold").isolate_memory
FILL_RULES: Final[tuple[FillRule, ...]] = ("next_open", "close")


@dataclass(frozen=True, slots=True)
class RunOption:
    """One option: ``name`` without its dashes (``p`` has one), how its text is read, its help.

    ``default`` is the text of what holds where the option is not given; None where that depends
    on the source. ``choices`` lists every value of a ``choice``. ``switch`` is a flag with a
    ``--no-`` form, ``list`` is separated by commas, ``many`` may be repeated.
    """

    name: str
    kind: Kind
    help: str
    default: str | None = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"-{self.name}" if len(self.name) == 1 else f"--{self.name}"


OPTIONS: Final[tuple[RunOption, ...]] = (
    RunOption("p", "many", "A parameter of the strategy.", metavar="NAME=VALUE"),
    RunOption("symbols", "list", "Symbols, separated by commas [default: all].", metavar="A,B"),
    RunOption("universe", "choice", "A named list of symbols.", choices=UNIVERSES),
    RunOption("start", "date", "First date [default: all there is].", metavar="DATE"),
    RunOption("end", "date", "Last date, inclusive.", metavar="DATE"),
    RunOption(
        "source",
        "text",
        "sample | synthetic[:k=v,…] | csv:PATH | parquet:PATH",
        "sample",
        metavar="SOURCE",
    ),
    RunOption("timeframe", "choice", "Length of a bar.", choices=TIMEFRAMES),
    RunOption("calendar", "choice", "Exchange calendar.", "XNYS", choices=CALENDARS),
    RunOption("tz", "text", "Zone of a file's stamps that name none.", "UTC", metavar="ZONE"),
    RunOption(
        "actions",
        "text",
        "none | columns | columns:dividend | columns:split | PATH of an actions file.",
        metavar="ACTIONS",
    ),
    RunOption("repair", "flag", "Drop bars that break a rule, and count them."),
    RunOption("cash", "number", "Initial cash.", "100000", metavar="AMOUNT"),
    RunOption("lot", "number", "Smallest quantity that trades.", "1", metavar="SHARES"),
    RunOption(
        "fill", "choice", "Where market orders fill.", "next_open", choices=tuple(FILL_RULES)
    ),
    RunOption(
        "costs", "choice", "Cost profile.", "us-equity", choices=tuple(PROFILES), metavar="PROFILE"
    ),
    RunOption("commission-min", "number", "Least commission of an order.", metavar="AMOUNT"),
    RunOption("commission-per-share", "number", "Commission a share.", metavar="AMOUNT"),
    RunOption("commission-pct", "number", "Commission, a fraction of notional.", metavar="RATE"),
    RunOption("slippage-bps", "number", "Slippage in basis points.", metavar="BPS"),
    RunOption("participation", "number", "Largest share of a bar's volume.", metavar="RATE"),
    RunOption("allow-short", "flag", "Let a sale open a short position."),
    RunOption("max-leverage", "number", "Gross exposure over equity.", "1", metavar="X"),
    RunOption("risk-free", "number", "Yearly rate for Sharpe and Sortino.", "0", metavar="RATE"),
    RunOption("seed", "integer", "Seed of a strategy's randomness.", "0", metavar="N"),
    RunOption("name", "text", "What to call the run.", metavar="NAME"),
    RunOption("tag", "many", "A tag; may be repeated.", metavar="TAG"),
    RunOption("agent", "text", "The agent the run belongs to.", metavar="ID"),
    RunOption("speed", "number", "Steps a second [default: all it can].", metavar="RATE"),
    RunOption("paused", "flag", "Prepare the run and leave it for the app or `resume`."),
    RunOption("break", "many", "Pause where this holds; may be repeated.", metavar="EXPR"),
    RunOption("isolate", "flag", "Run the strategy in a process of its own."),
    RunOption(
        "isolate-memory",
        "integer",
        "Memory it may take there, in MB.",
        str(ISOLATE_MB),
        metavar="MB",
    ),
    RunOption("baselines", "switch", "Run buy-and-hold beside it.", "yes"),
)
BY_NAME: Final[Mapping[str, RunOption]] = {option.name: option for option in OPTIONS}

NOT_YET: Final = ("alpaca-url", "environment", "config")


def build_request(strategy: str, values: Mapping[str, Value]) -> RunRequest:
    """The request that these options ask for; None and empty text mean not given.

    Raises ``InvalidOption``, ``InvalidParameter`` or ``NotAvailable``, ``field`` being the option.
    """
    if strategy == "agent":
        raise NotAvailable(
            "a run whose decisions come from an agent is made by `stepdeck serve`, which is not in"
            " this version yet",
            field="strategy",
        )
    given = _Given(values)
    _refuse_idle(strategy, given)
    calendar = given.choice("calendar", "XNYS")
    return RunRequest(
        strategy=strategy,
        params=parameters(given.many("p")),
        source=given.text("source") or "sample",
        symbols=_symbols(given),
        start=given.date("start"),
        end=given.date("end"),
        timeframe=given.choice("timeframe"),
        calendar=calendar,
        tz=given.text("tz") or "UTC",
        actions=given.text("actions"),
        repair=given.flag("repair"),
        rules=Rules(
            cash=given.number("cash", 100_000.0),
            lot=given.number("lot", 1.0),
            fill="close" if given.choice("fill", "next_open") == "close" else "next_open",
            costs=_costs(given),
            participation=given.optional_number("participation"),
            allow_short=given.flag("allow-short"),
            max_leverage=given.number("max-leverage", 1.0),
            risk_free=given.number("risk-free", 0.0),
            seed=given.integer("seed"),
        ),
        name=given.text("name"),
        tags=tuple(dict.fromkeys(given.many("tag"))),
        agent_id=given.text("agent"),
        speed=given.optional_number("speed"),
        paused=given.flag("paused"),
        baselines=given.flag("baselines", default=True),
        breakpoints=tuple(given.many("break")),
        isolate=given.flag("isolate"),
        isolate_memory=given.integer("isolate-memory", ISOLATE_MB),
    )


def _refuse_idle(strategy: str, given: _Given) -> None:
    """Raise ``InvalidOption`` for an option that would do nothing beside the others."""
    if given.flag("isolate") and (strategy == "manual" or strategy.startswith("tape:")):
        raise InvalidOption(
            f"{strategy} has no strategy to isolate", field="isolate", remedy="leave --isolate out"
        )
    if not given.flag("isolate") and given.integer("isolate-memory", ISOLATE_MB) != ISOLATE_MB:
        raise InvalidOption(
            "isolate-memory is of a strategy in a process of its own",
            field="isolate-memory",
            remedy="give --isolate too, or leave it out",
        )
    source, zone = given.text("source") or "sample", given.text("tz") or "UTC"
    if zone != "UTC" and source.partition(":")[0] in ("sample", "synthetic"):
        from engine.market.stamps import check_zone

        check_zone(zone)
        raise InvalidOption(
            f"tz is {zone!r}, and {source} has stamps of its own, in UTC",
            field="tz",
            remedy="leave --tz out; it is for files whose stamps name no zone",
        )


class _Given:
    """The values of one request, read by the table."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = {name: value for name, value in values.items() if value not in (None, "")}
        for name, value in self._values.items():
            if name in NOT_YET and value is not False:
                raise NotAvailable(f"--{name} is not in this version yet", field=name)
            if name not in BY_NAME and name not in NOT_YET:
                close = difflib.get_close_matches(name, BY_NAME, n=1)
                raise InvalidOption(
                    f"no option {name!r}",
                    field=name,
                    remedy=f"did you mean {close[0]}?" if close else f"one of {', '.join(BY_NAME)}",
                )

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidOption(f"{name} is {value!r}", field=name, remedy="give text")
        return value.strip() or None

    def many(self, name: str) -> list[str]:
        value = self._values.get(name, ())
        if isinstance(value, bool) or value is None:
            raise InvalidOption(f"{name} is {value!r}", field=name, remedy="give text")
        return [value] if isinstance(value, str) else list(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise InvalidOption(f"{name} is {value!r}", field=name, remedy="give yes or no")
        return value

    def choice(self, name: str, default: str = "") -> Any:
        text = self.text(name)
        if text is None:
            return default or None
        choices = BY_NAME[name].choices
        if text not in choices:
            raise InvalidOption(
                f"{name} is {text!r}", field=name, remedy=f"one of {' | '.join(choices)}"
            )
        return text

    def date(self, name: str) -> date | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise InvalidOption(
                f"{name} is {text!r}", field=name, remedy="give a date such as 2012-06-30"
            ) from None

    def optional_number(self, name: str) -> float | None:
        text = self.text(name)
        return None if text is None else _number(name, text, float)

    def number(self, name: str, default: float) -> float:
        value = self.optional_number(name)
        return default if value is None else value

    def integer(self, name: str, default: int = 0) -> int:
        text = self.text(name)
        return default if text is None else _number(name, text, int)


def _number(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        wanted = "a whole number" if kind is int else "a number"
        raise InvalidOption(f"{name} is {text!r}", field=name, remedy=f"give {wanted}")
    return value


def parameters(pairs: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping. Raises ``InvalidParameter``."""
    params: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not (name and equals):
            raise InvalidParameter(f"-p {pair!r} names no value", field="p", remedy="NAME=VALUE")
        if name in params:
            raise InvalidParameter(f"the parameter {name} is given twice", field=name)
        params[name] = value.strip()
    return params


def _symbols(given: _Given) -> tuple[str, ...] | None:
    text, universe = given.text("symbols"), given.choice("universe")
    if universe is not None:
        if text is not None:
            raise InvalidOption(
                "symbols and universe are both given", field="universe", remedy="give one of them"
            )
        from engine.market import DJIA30

        return tuple(DJIA30)
    if text is None:
        return None
    symbols = [symbol.strip() for symbol in text.split(",")]
    if not all(symbols):
        raise InvalidOption(
            f"symbols is {text!r}", field="symbols", remedy="separate symbols with single commas"
        )
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            raise InvalidOption(
                f"symbols names {symbol} twice", field="symbols", remedy="name it once"
            )
    return tuple(symbols)


def _costs(given: _Given) -> Costs:
    base = PROFILES[given.choice("costs", "us-equity")]
    return Costs(
        profile=base.profile,
        commission_min=given.number("commission-min", base.commission_min),
        commission_per_share=given.number("commission-per-share", base.commission_per_share),
        commission_pct=given.number("commission-pct", base.commission_pct),
        sec=base.sec,
        taf=base.taf,
        slippage_bps=given.number("slippage-bps", base.slippage_bps),
    )


def command_line(request: RunRequest) -> str:
    """The ``stepdeck run …`` that makes this request; what is at its default is left out."""
    words = ["stepdeck", "run", request.strategy]
    for name, value in _differences(request):
        option = BY_NAME[name]
        if option.kind == "flag":
            words.append(option.flag)
        elif option.kind == "switch":
            words.append(f"--no-{name}")
        elif value.startswith("-"):
            # A value that looks like an option must be tied to its own.
            words.append(f"{option.flag}={value}")
        else:
            words += [option.flag, value]
    return shlex.join(words)


def _differences(request: RunRequest) -> list[tuple[str, str]]:
    rules, costs, plain = request.rules, request.rules.costs, RunRequest(request.strategy)
    profile = PROFILES.get(costs.profile, PROFILES["us-equity"])
    rows: list[tuple[str, object, object]] = [
        *(("p", f"{name}={_shown(value)}", None) for name, value in request.params.items()),
        ("symbols", ",".join(request.symbols or ()) or None, None),
        ("start", request.start, None),
        ("end", request.end, None),
        ("source", request.source, plain.source),
        ("timeframe", request.timeframe, None),
        ("calendar", request.calendar, plain.calendar),
        ("tz", request.tz, plain.tz),
        ("actions", request.actions, None),
        ("repair", request.repair, False),
        ("cash", rules.cash, plain.rules.cash),
        ("lot", rules.lot, plain.rules.lot),
        ("fill", rules.fill, plain.rules.fill),
        ("costs", profile.profile, plain.rules.costs.profile),
        ("commission-min", costs.commission_min, profile.commission_min),
        ("commission-per-share", costs.commission_per_share, profile.commission_per_share),
        ("commission-pct", costs.commission_pct, profile.commission_pct),
        ("slippage-bps", costs.slippage_bps, profile.slippage_bps),
        ("participation", rules.participation, None),
        ("allow-short", rules.allow_short, False),
        ("max-leverage", rules.max_leverage, plain.rules.max_leverage),
        ("risk-free", rules.risk_free, plain.rules.risk_free),
        ("seed", rules.seed, plain.rules.seed),
        ("name", request.name, None),
        *(("tag", tag, None) for tag in request.tags),
        ("agent", request.agent_id, None),
        ("speed", request.speed, None),
        ("paused", request.paused, False),
        *(("break", text, None) for text in request.breakpoints),
        ("isolate", request.isolate, False),
        ("isolate-memory", request.isolate_memory if request.isolate else ISOLATE_MB, ISOLATE_MB),
        ("baselines", request.baselines, True),
    ]
    return [(name, _shown(value)) for name, value, default in rows if value != default]


def _shown(value: object) -> str:
    # repr is the shortest text that reads back as the same float.
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
