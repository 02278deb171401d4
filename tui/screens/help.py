"""Help: the keys of the place one is in, out of the registry in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui import keys
from tui.keys import Action, Keys, Place
from tui.screens.base import DeckDialog
from tui.steps import RULE

AROUND: Final = 7  # columns of the dialog's frame, its padding and the scroll bar
FILTERS = (
    ("sma", "the word in id, name, strategy or symbols"),
    ("status:running,paused", "either status; also active, done"),
    ("strategy:sma symbol:AAPL", "both must hold; also name driver source agent owner tag reason"),
    ("ret>5% dd<-10%", "numbers: ret dd sharpe equity step steps progress fills trades costs age"),
    ("-agent:bot age<2h", "minus turns a term around; ages take s m h d"),
)
STOPPING = (
    "A run stops before the decision at which a breakpoint holds. It is asked once the step",
    "before has settled: of what the decision is about to see (bars that have closed,",
    "indicators, the account) and of what has just happened (fill, rejection, decision … since",
    "the decision before). What goes on holding stops at every step: make it one-shot, or write",
    "crosses_below(drawdown, -5%). A comparison with what has no value yet is false. Stopping",
    "changes no result; one that depends on more than the bars has a compiled strategy stepped.",
    "By hand, one's own decision and the fills it gets at once stop nothing; what rested does.",
)

ABOUT: Final = (
    ("Steps", (RULE,), frozenset({Place.RUN, Place.RUNS, Place.BREAKPOINTS, Place.COMPARE})),
    ("Where it stops", STOPPING, frozenset({Place.BREAKPOINTS})),
)
"""What stands under the keys: title, lines, and where."""


Works = Callable[[Action], bool]


def _always(_action: Action) -> bool:
    return True


class HelpScreen(DeckDialog[None]):
    """The actions of some places with their keys, and the filter language where there is a list."""

    places: ClassVar = (Place.NOTICE,)
    BINDINGS = keys.bindings(Place.NOTICE)

    def __init__(self, here: Sequence[Place], works: Works = _always) -> None:
        super().__init__()
        self._here = here
        self._works = works

    def compose(self) -> ComposeResult:
        wide = width_with_ids(self.deck.keys, self._here) + AROUND
        ids = wide <= self.app.size.width * 0.94
        with Vertical(classes="dialog help") as dialog:
            if ids:
                dialog.styles.width = max(wide, 96)
            yield Static("Keys here", classes="dialog-title", markup=False)
            with VerticalScroll(can_focus=True):
                yield Static(
                    help_text(
                        self.deck.keys,
                        self._here,
                        ids=ids,
                        read_only=self.deck.read_only,
                        works=self._works,
                    ),
                    markup=False,
                )
            yield Static(
                Content.assemble(
                    ("esc", "$accent bold"),
                    (" closes; dim: not just now; any key can be changed in f4", "$text-muted"),
                ),
                classes="dialog-foot",
            )

    def action_close(self) -> None:
        """Go on."""
        self.dismiss(None)


def width_with_ids(shown: Keys, here: Sequence[Place]) -> int:
    """Cells of the longest line of ``help_text`` with ``ids``."""
    actions = keys.of(*here, Place.EVERYWHERE)
    texts = ([shown.shown(one, every=True) for one in actions], [one.help for one in actions])
    return sum(2 + max(map(len, some)) for some in (*texts, [one.id for one in actions]))


def help_text(
    shown: Keys,
    here: Sequence[Place],
    *,
    ids: bool,
    read_only: bool = False,
    works: Works = _always,
) -> Content:
    """Every action of the places: keys, what it does and, with ``ids``, its id in the keymap.

    What writes is left out of a deck that is ``read_only``; what does not do anything where one is
    stands dim.
    """
    text_width = max(len(action.help) for action in keys.of(*here, Place.EVERYWHERE))
    parts: list[Content] = []
    width = max(len(shown.shown(action, every=True)) for action in keys.of(*here, Place.EVERYWHERE))
    for place in (*here, Place.EVERYWHERE):
        actions = [one for one in keys.of(place) if not (read_only and one.writes)]
        parts.append(Content.assemble((place.value, "bold $primary"), "\n"))
        parts += [
            Content.assemble(
                (
                    f"  {shown.shown(action, every=True) or 'palette':<{width}}  ",
                    "$text-accent" if works(action) else "$foreground-disabled",
                ),
                (
                    f"{action.help:<{text_width}}" if ids else action.help,
                    "" if works(action) else "$foreground-disabled",
                ),
                (f"  {action.id}" if ids else "", "$text-muted"),
                "\n",
            )
            for action in actions
        ]
        parts.append(Content("\n"))
    if Place.RUNS in here:
        parts.append(Content.assemble(("Filter", "bold $primary"), "\n"))
        wide = max(len(example) for example, _ in FILTERS)
        for example, text in FILTERS:
            parts.append(Content.assemble(("  " + example.ljust(wide + 2), "$accent"), text, "\n"))
    for titled, lines, places in ABOUT:
        if not places.isdisjoint(here):
            parts.append(Content.assemble((titled, "bold $primary"), "\n"))
            parts += [Content(f"  {line}\n") for line in lines]
    return Content("").join(parts)
