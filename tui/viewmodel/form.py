"""The form of a new run as values: its fields, what they mean, which of them an error is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.errors import StepdeckError
from tui.options import BY_NAME, Value

if TYPE_CHECKING:
    from engine.strategies.base import ParameterInfo

YES, NO = "yes", "no"
OWN_FILE: Final = "own file"
TAPE: Final = "tape"
PARAM_PREFIX: Final = "p."


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form.

    ``name`` is the option's name, or ``p.<parameter>``. ``choices`` are (word shown, value); a
    field without any is typed. ``default`` is what holds when nothing is given.
    """

    name: str
    label: str
    help: str
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def widget_id(self) -> str:
        """The id of the field's widget."""
        return "field-" + self.name.replace(".", "--")


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


def _option(name: str, label: str | None = None, text: str | None = None) -> Field:
    """The field of an option of ``run``, as the one table of options has it."""
    option = BY_NAME[name]
    default = option.default or ""
    choices: tuple[tuple[str, str], ...] = ()
    if option.kind == "choice":
        unset = () if option.default else (("as the source has it", ""),)
        if name == "universe":
            unset = (("no", ""),)
        choices = (*unset, *((choice, choice) for choice in option.choices))
    elif option.kind in ("flag", "switch"):
        default = YES if option.default == YES else NO
        choices = ((NO, NO), (YES, YES))
    return Field(name, label or name, text or option.help.rstrip("."), default, choices)


BARS: Final = Group(
    "Bars",
    (
        _option("source", text="sample, synthetic[:k=v,…], csv:PATH, parquet:PATH"),
        _option("symbols", text="such as AAPL,MSFT; empty: all the source has"),
        _option("universe"),
        _option("start", text="first date, such as 2005-01-03; empty: all"),
        _option("end", text="last date, inclusive"),
        _option("timeframe"),
        _option("calendar"),
        _option("actions", text="none, columns, or PATH of an actions file"),
        _option("repair", text="drop bars that break a rule, and count them"),
    ),
)
MONEY: Final = Group(
    "Money",
    (
        _option("cash"),
        _option("fill", text="where market orders fill"),
        _option("costs"),
        _option("slippage-bps", "slippage", "basis points; empty: the cost profile's"),
        _option("commission-min", "commission", "least an order pays"),
        _option("commission-per-share", "per share", "commission a share"),
        _option("lot", text="smallest quantity that trades"),
        _option("seed", text="of a strategy's own randomness"),
    ),
)
PACE: Final = Group(
    "Pace",
    (
        _option("name", text="what to call the run"),
        _option("speed", text="steps a second; empty: all it can"),
        _option("paused", text="begin paused"),
        _option("break", "breakpoint", "pause where this holds, such as drawdown < -5%"),
        _option("baselines", "baseline", "buy-and-hold beside it"),
    ),
)
FIELDS: Final[Mapping[str, Field]] = {
    field.name: field for group in (BARS, MONEY, PACE) for field in group.fields
}


def about(field: Field) -> str:
    """All there is to say of a field: its option on the command line, what it is, its default."""
    name = field.name
    if name.startswith(PARAM_PREFIX):
        flag, text = f"-p {name.removeprefix(PARAM_PREFIX)}=", field.help
    elif name in BY_NAME:
        option = BY_NAME[name]
        flag, short = option.flag, option.help.partition(" [default")[0].rstrip(".")
        # The form's own words say more than the option's help, or the same.
        text = f"{short}: {field.help}" if field.help != short and field.help else short
    else:
        flag, text = "STRATEGY", field.help
    parts = [text] + [f"default {field.default}"] * bool(field.default)
    return f"{flag}  {'; '.join(filter(None, parts))}"


def parameter_fields(parameters: tuple[ParameterInfo, ...]) -> tuple[Field, ...]:
    """One field a parameter of the strategy, typed as the strategy says."""
    fields = []
    for parameter in parameters:
        truth = parameter.type == "bool"
        default = str(parameter.default)
        text = f"{parameter.wanted}; {parameter.help}" if parameter.help else parameter.wanted
        fields.append(
            Field(
                PARAM_PREFIX + parameter.name,
                parameter.name,
                text,
                default.lower() if truth else default,
                (("no", "false"), ("yes", "true")) if truth else (),
            )
        )
    return tuple(fields)


def spec_of(strategy: str, path: str) -> str:
    """The strategy that the first two fields name: a built-in, or a file of one's own."""
    if strategy == TAPE:
        return path if path.startswith("tape:") else f"tape:{path}"
    return path if strategy == OWN_FILE else strategy


def options_of(values: Mapping[str, str]) -> dict[str, Value]:
    """The form's texts by field as options of ``run``; what is empty is not given."""
    options: dict[str, Value] = {}
    parameters = []
    for name, text in values.items():
        if name.startswith(PARAM_PREFIX):
            if text.strip():
                parameters.append(f"{name.removeprefix(PARAM_PREFIX)}={text.strip()}")
        elif name in FIELDS and text.strip():
            kind = BY_NAME[name].kind
            options[name] = text == YES if kind in ("flag", "switch") else text.strip()
    if parameters:
        options["p"] = parameters
    return options


def field_of(error: StepdeckError, names: Mapping[str, object]) -> str | None:
    """The field of the form that the error is about, if it is one of ``names``."""
    wrong = error.field
    if wrong is None:
        return None
    wrong = wrong.replace("_", "-")
    for candidate in (wrong, error.field or "", f"{PARAM_PREFIX}{error.field}"):
        if candidate in names:
            return candidate
    return {"strategy": "strategy", "file": "source", "path": "source"}.get(wrong)
