"""Where and why a run stands still, when a breakpoint or a place it was sent to stopped it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.model import RunRecord

_STANDING: Final = frozenset({"paused", "interrupted"})


def stopped_text(record: RunRecord) -> str | None:
    """``stopped at breakpoint 2: drawdown < -5%  (drawdown -5.31%)``.

    None once the run has moved on from there, or where nothing stopped it.
    """
    told = record.metadata.get("stopped_at")
    if not isinstance(told, Mapping) or told.get("settled") != record.step_index:
        return None
    if record.status not in _STANDING and not _waits_for_a_hand(record):
        return None
    number, text = told.get("breakpoint"), told.get("expression")
    if not isinstance(text, str):
        return None
    place = "where it was sent" if number is None else f"at breakpoint {number}"
    saw = told.get("saw")
    # That the one thing asked for has happened needs no saying again.
    plain = isinstance(saw, Mapping) and list(saw.values()) == [True]
    seen = saw_text(saw) if isinstance(saw, Mapping) and not plain else ""
    return f"stopped {place}: {text}" + (f"  ({seen})" if seen else "")


def _waits_for_a_hand(record: RunRecord) -> bool:
    return record.status == "running" and record.by_hand


def saw_text(saw: Mapping[str, object]) -> str:
    """What was seen, word by word: ``drawdown -5.31%, rsi["AAPL"] 71.2``; what happened as it is.

    A word that is simply true needs no value; what had none is ``-``.
    """
    return ", ".join(
        str(name) if value is True else f"{name} {_value_text(str(name), value)}"
        for name, value in saw.items()
    )


_FRACTIONS: Final = ("drawdown", "ret", "exposure", "weight", "change")


def _value_text(name: str, value: object) -> str:
    if value is None:
        return "-"
    if value is False:
        return "no"
    if isinstance(value, (int, float)):
        if name.startswith(_FRACTIONS):
            return f"{value:.2%}"
        whole = float(value).is_integer() and abs(value) < 1e15
        return f"{value:,.0f}" if whole else f"{value:,.6g}"
    return str(value)
