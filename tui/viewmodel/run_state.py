"""What can be done with a run as it is shown: one table of conditions by action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.viewmodel.runs import CAN_CANCEL

if TYPE_CHECKING:
    from tui.gateway import RunDetail

LIVE: Final = frozenset({"running", "paused"})


@dataclass(frozen=True, slots=True)
class Situation:
    """A run, and the moment of it that is shown.

    ``settled`` counts the grid points the run has settled, ``at`` those shown: None is now.
    ``by_hand`` says that a person decides, ``was_hand`` that the run is one that always is. What is
    ``held`` is of the symbol shown, now. ``undoable`` says that the newest decision was made by a
    person here. ``in_list`` names the list that has the arrows, ``marked`` counts its marked rows.
    ``edited`` says that the strategy's file was saved since and can be used. ``zoomed`` says that
    somebody zoomed or panned the charts. ``follows`` says that there are bars, fills and decisions
    to be walked through.
    """

    status: str
    settled: int = 0
    total: int | None = None
    at: int | None = None
    by_hand: bool = False
    was_hand: bool = False
    held: float = 0.0
    shorts: bool = False
    undoable: bool = False
    symbols: int = 1
    in_list: str | None = None
    marked: int = 0
    edited: bool = False
    bars: bool = True
    zoomed: bool = False

    @property
    def marked_positions(self) -> int:
        """How many holdings are marked, where they have the arrows."""
        return self.marked if self.in_list == "positions" else 0

    @property
    def live(self) -> bool:
        """Whether the run moves, or would if it were let."""
        return self.status in LIVE

    @property
    def looking(self) -> bool:
        """Whether the past is shown."""
        return self.at is not None

    @property
    def drives(self) -> bool:
        """Whether a key that goes on moves the run itself, and not only the look at it."""
        return self.live and not self.looking


Holds = Callable[[Situation], bool | None]


def _live_now(state: Situation) -> bool | None:
    """In the past it is greyed: first rewind, fork, or go back to now."""
    if not state.live:
        return False
    return None if state.looking else True


def _can_fork(state: Situation) -> bool | None:
    return True if state.settled else None


def _can_rewind(state: Situation) -> bool | None:
    return state.looking and (state.live or state.status == "interrupted")


def _on(state: Situation) -> bool | None:
    """Going on: the run where it is live and now is shown, else the look at it."""
    return state.live or state.looking


def _back(state: Situation) -> bool | None:
    return True if (state.settled if state.at is None else state.at) > 1 else None


def _play(state: Situation) -> bool | None:
    if state.drives:
        # A run decided by hand waits at each step; there is nothing to play.
        return not state.by_hand or state.status == "paused"
    return state.settled > 1


def _paced(state: Situation) -> bool | None:
    return (state.live and not state.by_hand) or state.looking


def _close(state: Situation) -> bool | None:
    if state.marked_positions:
        return _live_now(state)
    return _close_one(state)


def _close_one(state: Situation) -> bool | None:
    works = _live_now(state)
    return None if works and not state.held else works


def _reverse(state: Situation) -> bool | None:
    if not state.live or not state.shorts:
        return False
    return _close_one(state)


def _take_over(state: Situation) -> bool | None:
    return False if state.was_hand else _live_now(state)


# What is not here works always.
CONDITIONS: Final[Mapping[str, Holds]] = {
    "take_up": lambda state: state.status == "interrupted",
    "play": _play,
    "step": _on,
    "step_ten": _on,
    "look_back": _back,
    "look_back_ten": _back,
    "previous_fill": _back,
    "previous_session": _back,
    "previous_decision": _back,
    "next_fill": _on,
    "next_session": _on,
    "next_decision": _on,
    "now": lambda state: state.looking,
    "go_to": lambda state: bool(state.settled),
    "faster": _paced,
    "slower": _paced,
    "buy": _live_now,
    "sell": _live_now,
    "hold": _live_now,
    "ticket": _live_now,
    "close_position": _close,
    "reverse": _reverse,
    "take_over": _take_over,
    "undo": lambda state: _live_now(state) if state.undoable else False,
    "rewind": _can_rewind,
    "fork": _can_fork,
    "fork_saved": lambda state: state.edited,
    "saw": lambda state: bool(state.settled) or None,
    "cancel": lambda state: state.status in CAN_CANCEL,
    "next_symbol": lambda state: state.symbols > 1,
    "previous_symbol": lambda state: state.symbols > 1,
    "unzoom": lambda state: state.zoomed or None,
    "sort": lambda state: state.in_list is not None,
    "mark": lambda state: state.in_list is not None,
    "open": lambda state: state.in_list is not None,
}


def allowed(action: str, state: Situation) -> bool | None:
    """Whether an action works now; None shows it greyed, False hides it."""
    condition = CONDITIONS.get(action)
    return True if condition is None else condition(state)


_TRADES: Final = frozenset({"buy", "sell", "hold", "ticket", "close_position", "reverse"})


def why_not(action: str, state: Situation) -> str | None:
    """Why a key does nothing now, and what would; None where it works."""
    if allowed(action, state) is True:
        return None
    if action in _TRADES:
        return _why_no_trade(action, state)
    if action == "rewind":
        if not state.looking:
            return "look back first, to where it is to go on from"
        return f"a run that is {state.status} never changes: fork it"
    if action == "take_over":
        return "this run is by hand anyway" if state.was_hand else f"the run is {state.status}"
    if action == "play" and state.drives:
        return "a run by hand waits for each decision: step it, or send it on"
    if action == "cancel":
        return f"the run is {state.status} already"
    if action == "undo" and state.live:
        return "only one's own newest step can be taken back"
    return None


def _why_no_trade(action: str, state: Situation) -> str:
    if state.status == "interrupted":
        return "the run is interrupted: take it up first"
    if not state.live:
        return f"the run is {state.status}: fork it to go on from here"
    if state.looking:
        return "this is the past: go back to now, rewind or fork"
    if action == "reverse" and not state.shorts:
        return "this run allows no short positions"
    return "nothing of this symbol is held"


def label_of(action: str, state: Situation) -> str | None:
    """The word on an action's button where it depends on the moment; None for the usual one."""
    if action == "play":
        if state.drives:
            return "Pause" if state.status == "running" else "Play"
        return "Replay"
    if action == "take_over":
        return "Hand back" if state.by_hand else "Take over"
    if action == "fork" and not state.looking:
        return "Fork"
    if action == "open" and state.in_list is not None:
        return OPENS.get(state.in_list)
    if action == "close_position" and state.marked_positions:
        return f"Close {state.marked_positions}"
    if action in ("copy", "export") and state.marked:
        return f"{action.capitalize()} {state.marked} row{'s' if state.marked > 1 else ''}"
    return None


OPENS: Final[Mapping[str, str]] = {
    "orders": "Why",
    "decisions": "Look there",
    "positions": "Show symbol",
}
"""What opening a row does, by its list."""


def undoable(detail: RunDetail) -> bool:
    """Whether the newest step was decided by a person, so that taking it back loses but that."""
    if not detail.decisions or detail.next_decision is None:
        return False
    last = detail.decisions[-1]
    return last.step_index == detail.next_decision - 1 and last.decision_source == "manual"
