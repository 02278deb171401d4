"""The one registry of what can be done in the app and which key does it.

Dispatch, the key bar, help and the command palette all read ``ACTIONS``; a keymap (action id ->
keys) changes the keys of all four at once. An action's ``method`` names the ``action_*`` method of
the place it belongs to.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from textual import events
from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, format_key
from textual.widget import Widget
from textual.widgets import Input, OptionList, Select

from engine.errors import InvalidOption


class Place(StrEnum):
    """Where an action works; its value is how help names it, its name begins the actions' ids."""

    RUNS = "Runs"
    RUN = "Run"
    FORM = "New run"
    COMPARE = "Compare"
    LOG = "Log"
    SETTINGS = "Settings"
    TICKET = "Order ticket"
    GO_TO = "Go to a step or date"
    ASK = "A question with an answer to type"
    EXPORT = "Export"
    BREAKPOINTS = "Breakpoints"
    CONDITIONS = "Conditions of breakpoints"
    INDICATORS = "Indicators"
    SEEN = "What was seen"
    CONFIRM = "Questions"
    QUIT = "Quitting with live runs"
    NOTICE = "Help and errors"
    LIST = "Lists"
    EVERYWHERE = "Everywhere"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    ``keys`` are Textual key names, the first one is shown. ``bar`` orders the key bar (0: not in
    it). ``writes`` marks what a ledger opened read-only does not allow.
    """

    place: Place
    method: str
    keys: tuple[str, ...]
    label: str
    help: str
    bar: int = 0
    writes: bool = False

    @property
    def id(self) -> str:
        """The name the keymap knows the action by: ``runs.cancel``, ``help``."""
        if self.place is Place.EVERYWHERE:
            return self.method
        return f"{self.place.name.lower()}.{self.method}"


def _rows(place: Place, *rows: tuple[str, str, str, str, int, str]) -> tuple[Action, ...]:
    """Actions of a place from rows of (method, keys, label, help, bar, ``w`` for writing)."""
    return tuple(
        Action(place, method, tuple(names.split()), label, text, bar, kind == "w")
        for method, names, label, text, bar, kind in rows
    )


# fmt: off
ACTIONS: Final[tuple[Action, ...]] = (
    *_rows(
        Place.RUNS,
        ("new", "n", "New", "Fill in the form of a new run", 1, "w"),
        ("open", "enter", "Open", "Open the highlighted run", 2, "r"),
        ("pause", "p", "Pause", "Pause the marked runs, or let paused ones go on", 3, "w"),
        ("cancel", "x", "Cancel", "Cancel the marked runs; asks first", 4, "w"),
        ("take_up", "R", "Take up", "Take up interrupted runs where they stopped", 5, "w"),
        ("compare", "c", "Compare", "Marked runs side by side; or a fork and its parent", 6, "r"),
        ("filter", "slash", "Filter", "Filter the list", 7, "r"),
        ("mark", "space", "Mark", "Mark the run; actions take all marked ones", 8, "r"),
        ("again", "r", "Again", "Run the marked runs again with their settings", 9, "w"),
        ("fork", "f", "Fork", "A new run with the first decisions of this one", 10, "w"),
        ("sort", "s", "Sort", "Sort by the next column", 11, "r"),
        ("export", "e", "Export", "Write the marked runs to files", 12, "r"),
        ("delete", "d", "Delete", "Delete the marked runs; asks first", 13, "w"),
        ("tree", "t", "Tree", "Forks beneath the runs that they come from", 14, "r"),
        ("sort_reverse", "v", "Reverse", "Turn the sort around", 0, "r"),
        ("mark_all", "a", "Mark all", "Mark every run shown, or none", 0, "r"),
        ("copy", "y", "Copy id", "Copy the ids of the marked runs", 0, "r"),
    ),
    *_rows(
        Place.RUN,
        ("play", "space", "Play", "Let it move, or hold it; in the past: replay", 1, "r"),
        ("take_up", "R", "Take up", "Take up the interrupted run where it stopped", 2, "w"),
        ("step", "full_stop right", "Step", "One step on; by hand it holds", 3, "r"),
        ("look_back", "comma left", "Back", "Look at the step before; changes nothing", 4, "r"),
        ("now", "end 0", "Now", "From the past back to now", 5, "r"),
        ("step_ten", "greater_than_sign", "Ten", "Ten steps on", 6, "r"),
        ("look_back_ten", "less_than_sign", "Ten back", "Look ten steps back", 0, "r"),
        ("buy", "b", "Buy", "Buy the symbol shown, at the market", 7, "w"),
        ("sell", "s", "Sell", "Sell the symbol shown, at the market", 8, "w"),
        ("hold", "h", "Hold", "Hold this step", 9, "w"),
        ("close_position", "c", "Close", "Trade the symbol shown out to nothing", 10, "w"),
        ("reverse", "v", "Reverse", "Turn the position around, long to short or back", 0, "w"),
        ("ticket", "o", "Ticket", "The full order ticket", 11, "w"),
        ("take_over", "t", "Take over", "Decide by hand from here, or hand back", 12, "w"),
        ("undo", "u", "Undo", "Take back the last step decided by hand", 13, "w"),
        ("rewind", "w", "Rewind here", "Make the past shown the present; asks first", 14, "w"),
        ("fork", "f", "Fork here", "A new run with the same past, up to here", 15, "w"),
        ("next_fill", "right_square_bracket a", "Next fill", "On to the next fill", 16, "r"),
        ("previous_fill", "left_square_bracket A", "Fill before", "Look at the fill before",
         0, "r"),
        ("next_session", "right_curly_bracket d", "Session", "On to the next session", 17, "r"),
        ("previous_session", "left_curly_bracket D", "Session before",
         "Look at the session before", 0, "r"),
        ("next_decision", "semicolon", "Decision", "On to the next decision that does not hold",
         18, "r"),
        ("previous_decision", "apostrophe", "Decision before", "Look at the decision before",
         0, "r"),
        ("go_to", "at J", "Go to", "Go to a step, a date, or so many steps back", 19, "r"),
        ("faster", "plus equals_sign", "Faster", "More steps a second, up to full speed", 20, "r"),
        ("slower", "minus", "Slower", "Fewer steps a second", 21, "r"),
        ("next_symbol", "n", "Symbol", "Show the next symbol", 22, "r"),
        ("previous_symbol", "N", "Symbol before", "Show the previous symbol", 0, "r"),
        ("saw", "i", "Seen", "What the strategy sees at this step", 23, "r"),
        ("indicators", "T", "Indicators", "Choose what is drawn over the price", 24, "r"),
        ("zoom_in", "I shift+up", "Zoom in", "Fewer bars in both charts; the wheel does it too",
         25, "r"),
        ("zoom_out", "O shift+down", "Zoom out", "More bars, up to all of them", 26, "r"),
        ("pan_left", "left_parenthesis H shift+left", "Pan left",
         "Earlier bars; dragging does it too", 27, "r"),
        ("pan_right", "right_parenthesis M shift+right", "Pan right", "Later bars", 28, "r"),
        ("unzoom", "Z", "Unzoom", "The charts as they were before zooming and panning", 29, "r"),
        ("breakpoints", "B", "Breakpoints", "Where the run is to stop, and what stopped it", 24,
         "r"),
        ("again", "r", "Run again",
         "A new run of the same settings, its strategy as the file is now",
         0, "w"),
        ("fork_saved", "F", "Fork edited",
         "Go on from here with the strategy as its file was saved since", 0, "w"),
        ("cancel", "x", "Cancel", "Cancel the run; asks first", 30, "w"),
        ("zone", "z", "UTC", "Times in UTC, or in the exchange's zone", 31, "r"),
        ("panel_1", "1", "Price", "Price of a symbol with the run's fills", 0, "r"),
        ("panel_2", "2", "Equity", "Equity with baseline and drawdown", 0, "r"),
        ("panel_3", "3", "Positions", "What the run holds", 0, "r"),
        ("panel_4", "4", "Orders", "Orders, what became of them and why", 0, "r"),
        ("panel_5", "5", "Decisions", "Who decided what at which step", 0, "r"),
        ("panel_6", "6", "Figures", "Figures, with the rules in force", 0, "r"),
        ("open", "enter", "Open",
         "In a list: why an order came to that; a decision's step; a symbol", 1, "r"),
        ("mark", "m", "Mark", "In a list: mark the row; copy, export and close take all marked", 1,
         "r"),
        ("sort", "S", "Sort", "In a list: sort by the next column", 1, "r"),
        ("export", "e", "Export", "Write the run to files", 32, "r"),
        ("copy", "y", "Copy", "Copy the run's id, or the row a list stands on", 33, "r"),
    ),
    *_rows(
        Place.FORM,
        ("start", "ctrl+g f5", "Start", "Start the run; enter in a field does it too", 1, "w"),
        ("copy_command", "ctrl+y f2", "Copy command", "Copy the equivalent command line", 2, "r"),
        ("reset", "f8", "Defaults", "Set every field back to its default", 3, "r"),
    ),
    *_rows(
        Place.COMPARE,
        ("next_run", "right n", "Next run", "Choose the next run", 1, "r"),
        ("previous_run", "left N", "Previous", "Choose the run before", 0, "r"),
        ("difference", "d", "Difference", "Curves overlaid, or each less the first run's", 2, "r"),
        ("open", "enter", "Open",
         "Open the chosen run at the cursor; without one where it first differs", 3, "r"),
        ("both", "b", "Both", "The same, with the first run behind it", 4, "r"),
        ("first", "f", "First", "Hold all others against the chosen run", 5, "r"),
        ("drop", "x", "Leave out", "Take the chosen run out of the comparison", 6, "r"),
        ("cursor_back", "comma", "Cursor", "The chart's cursor a step back; a click sets it", 7,
         "r"),
        ("cursor_on", "full_stop", "Cursor on", "The cursor a step on", 0, "r"),
        ("cursor_back_ten", "less_than_sign", "Cursor ten back", "The cursor ten steps back", 0,
         "r"),
        ("cursor_on_ten", "greater_than_sign", "Cursor ten on", "The cursor ten steps on", 0, "r"),
        ("cursor_off", "0", "No cursor", "The newest values again; esc does it too", 8, "r"),
        ("zoom_in", "I shift+up", "Zoom in", "Less of the time; the wheel does it too", 9, "r"),
        ("zoom_out", "O shift+down", "Zoom out", "More of the time, up to all of it", 10, "r"),
        ("pan_left", "left_parenthesis H shift+left", "Pan left", "Earlier; dragging does it too",
         11, "r"),
        ("pan_right", "right_parenthesis M shift+right", "Pan right", "Later", 12, "r"),
        ("unzoom", "Z", "Unzoom", "All of the time again", 13, "r"),
        ("copy", "y", "Copy", "Copy the figures, as text", 14, "r"),
    ),
    *_rows(
        Place.LOG,
        ("source", "l", "Other log", "The app's log, or what the run's strategy printed", 1, "r"),
        ("follow", "f", "Follow", "Go with the newest line, or stay", 2, "r"),
        ("filter", "slash", "Filter", "Show only lines that hold a text", 3, "r"),
        ("copy", "y", "Copy", "Copy the line", 4, "r"),
    ),
    *_rows(
        Place.SETTINGS,
        ("edit", "enter", "Change", "Give the setting another value", 1, "r"),
        ("reset", "d", "Default", "Take the setting out of the file", 2, "r"),
        ("copy", "y", "Copy", "Copy the setting as a line of the file", 3, "r"),
    ),
    *_rows(
        Place.TICKET,
        ("place", "enter f10", "Place", "Decide this step with the orders", 1, "w"),
        ("add", "f6", "Another", "Keep this order, and fill in another for the same step", 2, "w"),
        ("remove", "f7", "Remove", "Take back the last order kept", 3, "w"),
        ("close", "escape", "Back", "Leave without an order", 4, "r"),
    ),
    *_rows(
        Place.GO_TO,
        ("go", "enter", "Go", "Go there", 1, "r"),
        ("close", "escape", "Back", "Stay where one is", 2, "r"),
    ),
    *_rows(
        Place.ASK,
        ("accept", "enter", "Go on", "Take the answer", 1, "r"),
        ("close", "escape", "Back", "Leave everything as it is", 2, "r"),
    ),
    *_rows(
        Place.EXPORT,
        ("write", "enter f5", "Write", "Write the files", 1, "r"),
        ("close", "escape", "Back", "Write nothing", 2, "r"),
    ),
    *_rows(
        Place.BREAKPOINTS,
        ("add", "a", "Add", "Write a new breakpoint", 1, "w"),
        ("edit", "enter", "Edit", "Change the condition; counting begins anew", 2, "w"),
        ("switch", "space", "On/off", "Turn it on or off", 3, "w"),
        ("once", "o", "Once", "Stop once and turn itself off, or every time", 4, "w"),
        ("remove", "d delete", "Delete", "Delete it", 5, "w"),
        ("undo", "u", "Undo", "Take the last change back", 6, "w"),
        ("templates", "t", "Usual ones", "The usual conditions, and every word there is", 7, "w"),
        ("keep", "enter", "Keep", "While it is written: keep the condition", 1, "w"),
        ("words", "f2", "Usual ones", "While it is written: the usual ones, and every word", 2,
         "w"),
        ("copy", "y", "Copy", "Copy the condition", 8, "r"),
    ),
    *_rows(
        Place.CONDITIONS,
        ("choose", "enter", "Take", "Write the line into the breakpoint", 1, "r"),
        ("close", "escape t", "Back", "Leave without one", 2, "r"),
    ),
    *_rows(
        Place.INDICATORS,
        ("draw", "enter", "Draw", "Draw what the field says", 1, "r"),
        ("sma_20", "f1", "SMA 20", "Moving average of 20 bars, on or off", 2, "r"),
        ("sma_50", "f2", "SMA 50", "Moving average of 50 bars, on or off", 3, "r"),
        ("ema_20", "f3", "EMA 20", "Exponential average of 20 bars, on or off", 4, "r"),
        ("bands", "f4", "Bollinger", "Bollinger bands, on or off", 5, "r"),
        ("rsi", "f5", "RSI", "Relative strength beneath, on or off", 6, "r"),
        ("macd", "f6", "MACD", "MACD and its signal beneath, on or off", 7, "r"),
        ("atr", "f7", "ATR", "Average true range beneath, on or off", 8, "r"),
        ("close", "escape", "Back", "Leave the chart as it is", 9, "r"),
    ),
    *_rows(
        Place.SEEN,
        ("close", "escape enter i q", "Close", "Go on", 1, "r"),
        ("earlier", "comma left", "Back", "What was seen a step before", 2, "r"),
        ("later", "full_stop right", "Step", "What was seen a step later", 3, "r"),
    ),
    *_rows(
        Place.CONFIRM,
        ("yes", "y enter", "Do it", "Do what was asked", 1, "r"),
        ("no", "n escape", "Keep", "Leave everything as it is", 2, "r"),
    ),
    *_rows(
        Place.QUIT,
        ("interrupt", "i enter", "Interrupt", "Leave the runs resumable, and quit", 1, "r"),
        ("wait", "w", "Wait", "Quit when they are done", 2, "r"),
        ("cancel", "c", "Cancel them", "Cancel the runs, and quit", 3, "r"),
        ("stay", "n escape", "Stay", "Do not quit", 4, "r"),
    ),
    *_rows(
        Place.NOTICE,
        ("close", "escape enter q question_mark", "Close", "Go on", 1, "r"),
    ),
    *_rows(
        Place.LIST,
        ("up", "up k", "Up", "One row up", 0, "r"),
        ("down", "down j", "Down", "One row down", 0, "r"),
        ("first", "g home", "First", "To the first row", 0, "r"),
        ("last", "G end", "Last", "To the last row", 0, "r"),
        ("page_up", "pageup", "Page up", "A page up", 0, "r"),
        ("page_down", "pagedown", "Page down", "A page down", 0, "r"),
    ),
    *_rows(
        Place.EVERYWHERE,
        ("back", "escape", "Back", "Leave what is open", 90, "r"),
        ("palette", "ctrl+p colon", "Palette", "Find an action by its name", 91, "r"),
        ("help", "question_mark f1", "Help", "The keys of the place you are in", 92, "r"),
        ("quit", "q", "Quit", "Quit; asks what becomes of live runs", 93, "r"),
        ("next_panel", "tab", "Next panel", "Go to the next panel", 0, "r"),
        ("previous_panel", "shift+tab", "Previous panel", "Go to the previous panel", 0, "r"),
        ("redraw", "ctrl+l", "Redraw", "Draw the screen anew", 0, "r"),
        ("log", "f3", "Log", "The app's log, and what the run's strategy printed", 0, "r"),
        ("settings", "f4", "Settings", "Every setting with its origin; change them here", 0, "r"),
        ("theme", "", "Theme", "Choose the colours", 0, "r"),
    ),
)
# fmt: on

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}


def takes(focused: Widget | None, key: str) -> bool:
    """Whether a field or a choice that has the focus keeps a key to itself: see ``belongs_to``."""
    if not isinstance(focused, (Input, Select, OptionList)):
        return False
    typed = key in FIELD_KEYS or len(format_key(key)) == 1
    return typed or (key == "escape" and isinstance(focused, OptionList))


def belongs_to(focused: Widget | None, event: events.Key) -> bool:
    """Whether the key is for the field that has the focus, and for nothing else.

    A field takes what can be typed and what moves within it; an open list of choices takes esc too.
    """
    if isinstance(focused, OptionList):
        within: tuple[str, ...] = ("escape",)
    elif isinstance(focused, (Input, Select)):
        within = ()
    else:
        return False
    return event.is_printable or event.key in (*within, *FIELD_KEYS)


FIELD_KEYS: Final = (
    "enter", "space", "up", "down", "left", "right", "home", "end", "pageup", "pagedown",
    "backspace", "delete",
)  # fmt: skip
_FIELDS: Final = frozenset({Place.TICKET, Place.GO_TO, Place.INDICATORS, Place.ASK, Place.EXPORT})
_DIALOGS: Final = _FIELDS | {
    Place.SEEN, Place.CONDITIONS, Place.CONFIRM, Place.QUIT, Place.NOTICE,
}  # fmt: skip
# Where both could mean something the first does, and leaves the key to the list where it does not
# work: ``end`` is back to now while the past is shown.
MAY_SHARE: Final = frozenset(
    {frozenset({"run.now", "list.last"}), frozenset({"breakpoints.edit", "breakpoints.keep"})}
)


def of(*places: Place) -> tuple[Action, ...]:
    """The actions of the places, in the registry's order."""
    return tuple(action for action in ACTIONS if action.place in places)


# Textual binds these on the screen itself, so they must be bound there to be ours.
ON_SCREEN: Final = ("next_panel", "previous_panel")


def bindings(*places: Place, ids: Collection[str] = ()) -> list[BindingType]:
    """Textual bindings of the places' actions, or of those in ``ids`` alone.

    Their ids make them remappable by Textual's keymap. All but those of dialogs whose fields
    take enter themselves are looked up before the key is handed to a widget's queue, so that keys
    pressed faster than the screen draws (``j``, ``x`` and at once ``y``) act in their order and on
    what they were meant for.
    """
    return [
        Binding(
            ",".join(action.keys),
            action.method,
            action.label,
            id=action.id,
            tooltip=action.help,
            show=bool(action.bar),
            priority=action.place not in _FIELDS,
        )
        for action in of(*places)
        if action.keys and (not ids or action.id in ids)
    ]


class Keys:
    """The keys in force: the registry's, with a person's keymap over them.

    Raises ``InvalidOption`` for an id that is not in the registry and for a key given to two
    actions of one place.
    """

    def __init__(self, keymap: Mapping[str, str] | None = None) -> None:
        self.keymap = {name: _normal(keys) for name, keys in (keymap or {}).items()}
        for name in self.keymap:
            if name not in BY_ID:
                close = get_close_matches(name, BY_ID, n=1)
                raise InvalidOption(
                    f"the keymap names {name!r}, which is no action",
                    field=f"keymap.{name}",
                    remedy=f"did you mean {close[0]}?" if close else "`?` in the app lists them",
                )
        for place in Place:
            # A dialog shuts out what works everywhere; a list's keys work beside its screen's.
            beside = () if place in _DIALOGS else (Place.EVERYWHERE, Place.LIST)
            self._refuse_clashes(of(place, *beside))

    def _refuse_clashes(self, actions: Iterable[Action]) -> None:
        taken: dict[str, str] = {}
        for action in actions:
            for key in self.of(action):
                other = taken.setdefault(key, action.id)
                if other != action.id and frozenset({other, action.id}) not in MAY_SHARE:
                    named = action.id if action.id in self.keymap else other
                    raise InvalidOption(
                        f"the keymap gives {show(key)} to {action.id} and to {other}",
                        field=f"keymap.{named}",
                        remedy="give one of them another key",
                    )

    def of(self, action: Action) -> tuple[str, ...]:
        """The Textual names of the action's keys."""
        if action.id in self.keymap:
            return tuple(self.keymap[action.id].split(","))
        return action.keys

    def shown(self, action: Action, *, every: bool = False) -> str:
        """The action's key as a person reads it; ``every`` lists all of them."""
        keys = self.of(action)
        return "  ".join(show(key) for key in (keys if every else keys[:1]))


_WORDS: Final = {
    "escape": "esc",
    "enter": "enter",
    "space": "space",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "question_mark": "?",
}


def show(key: str) -> str:
    """A Textual key name as a person reads it: ``full_stop`` is ``.``, ``ctrl+p`` stays."""
    return _WORDS.get(key) or format_key(key)


def _normal(keys: str) -> str:
    """A person's key list (``n, ?``) in Textual's names (``n,question_mark``)."""
    return ",".join(_key_name(key.strip()) for key in keys.split(","))


def _key_name(key: str) -> str:
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)
