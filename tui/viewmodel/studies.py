"""Which indicators a price chart has: what is typed, what a strategy goes by, their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine.errors import InvalidOption
from engine.sim import indicators
from tui.widgets.studies import Studies, StudyLine, StudyStrip

if TYPE_CHECKING:
    from engine.sim.panel import Floats, Panel

# Name -> its default parameters, how many it takes, whether it has a strip of its own.
KINDS: Final[Mapping[str, tuple[tuple[float, ...], bool]]] = {
    "sma": ((20,), False),
    "ema": ((20,), False),
    "bollinger": ((20, 2), False),
    "rsi": ((14,), True),
    "macd": ((12, 26, 9), True),
    "atr": ((14,), True),
}
MOST: Final = 6
ROLES: Final = ("info", "baseline", "accent", "attention")
REMEDY: Final = f"such as sma 20, bollinger 20 2, rsi 14; there are {', '.join(KINDS)}"


@dataclass(frozen=True, slots=True)
class Study:
    """An indicator with its parameters: ``sma 20``."""

    kind: str
    parameters: tuple[float, ...]

    @property
    def indicators(self) -> tuple[str, ...]:
        """The engine's names of what it draws."""
        return {
            "bollinger": ("bb_upper", "bb_lower"),
            "macd": ("macd", "macd_signal"),
        }.get(self.kind, (self.kind,))

    def __str__(self) -> str:
        return " ".join((self.kind, *(f"{value:g}" for value in self.parameters)))


def read_studies(text: str) -> tuple[Study, ...]:
    """What is typed: ``sma 20, ema 50, rsi``; nothing is none. Raises ``InvalidOption``."""
    studies = tuple(_read(part) for part in text.replace(";", ",").split(",") if part.strip())
    if len(studies) > MOST:
        raise InvalidOption(
            f"{len(studies)} indicators are too many to tell apart",
            field="indicators",
            remedy=f"take {MOST} at most",
        )
    return tuple(dict.fromkeys(studies))


def _read(part: str) -> Study:
    name, *words = part.split()
    kind = {"bb": "bollinger", "bands": "bollinger"}.get(name.lower(), name.lower())
    if kind not in KINDS:
        raise InvalidOption(f"there is no {name!r} to draw", field="indicators", remedy=REMEDY)
    defaults, _ = KINDS[kind]
    if len(words) > len(defaults):
        raise InvalidOption(
            f"{kind} takes {len(defaults)} number{'s' if len(defaults) > 1 else ''}",
            field="indicators",
            remedy=str(Study(kind, defaults)),
        )
    try:
        given = tuple(float(word) for word in words)
    except ValueError:
        raise InvalidOption(
            f"{part.strip()!r} has something that is no number",
            field="indicators",
            remedy=str(Study(kind, defaults)),
        ) from None
    parameters = (*given, *defaults[len(given) :])
    for number, (value, default) in enumerate(zip(parameters, defaults, strict=True)):
        whole = not (kind == "bollinger" and number == 1)
        if not 0 < value <= 10_000 or (whole and (value != int(value) or value < 2 <= default)):
            raise InvalidOption(
                f"{value:g} is no number of bars" if whole else f"{value:g} deviations",
                field="indicators",
                remedy=f"give whole numbers from 2 on, such as {Study(kind, defaults)}",
            )
    return Study(kind, parameters)


def usual_studies(strategy: str, params: Mapping[str, Any]) -> tuple[Study, ...]:
    """What the strategy itself goes by, where it is one of the built-in ones."""
    name = strategy.rpartition(":")[2]
    if name == "sma_cross":
        periods = (params.get("fast", 10), params.get("slow", 30))
        return tuple(Study("sma", (float(period),)) for period in periods)
    if name == "rsi_reversion":
        return (Study("rsi", (float(params.get("period", 14)),)),)
    return ()


def studies_of(chosen: tuple[Study, ...], panel: Panel, symbol: str) -> Studies:
    """The values of the studies for a symbol, over the whole grid: cut them before showing them.

    Every value is causal: that at a grid point uses no later bar. Raises ``InvalidParameter``.
    """
    column = panel.index[symbol]
    overlays: list[StudyLine] = []
    strips: list[StudyStrip] = []
    for study in chosen:

        def values(name: str, *parameters: float) -> Floats:
            found: Floats = indicators.compute(panel, name, *parameters)[:, column]
            return found

        kind, own = study.kind, study.parameters
        label = f"{kind.upper()} {own[0]:g}"
        role = ROLES[len(overlays) % len(ROLES)]
        if kind in ("sma", "ema"):
            overlays.append(StudyLine(label, values(kind, *own), role))
        elif kind == "bollinger":
            # The middle would hide the candles that are about it.
            overlays += [
                StudyLine(f"BB{end}", values(f"bb_{name}", *own), role)
                for end, name in (("+", "upper"), ("-", "lower"))
            ]
        elif kind == "rsi":
            line = StudyLine(label, values("rsi", *own), "info")
            strips.append(StudyStrip((line,), (30.0, 70.0), (0.0, 100.0)))
        elif kind == "macd":
            strips.append(
                StudyStrip(
                    (
                        StudyLine("MACD", values("macd", *own), "info"),
                        StudyLine("signal", values("macd_signal", *own), "attention"),
                    ),
                    (0.0,),
                )
            )
        else:
            strips.append(StudyStrip((StudyLine(label, values("atr", *own), "info"),)))
    return Studies(tuple(overlays), tuple(strips))
