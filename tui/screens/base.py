"""What every screen and dialog of the deck has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input, Static

from tui import keys
from tui.keys import Action, Place
from tui.messages import Tick
from tui.widgets.table import DeckTable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.errors import StepdeckError
    from tui.app import StepdeckApp

SMALLEST: Final = (60, 18)
WIDTHS: Final = [(0, "-narrow"), (100, "-comfortable"), (150, "-wide")]
HEIGHTS: Final = [(0, "-low"), (32, "-middling"), (45, "-tall")]
_STYLES: Final = {
    "strong": "bold",
    "muted": "$text-muted",
    "faint": "$foreground-disabled",
    "gain": "$text-success",
    "loss": "$text-error",
    "attention": "$text-warning",
    "accent": "$text-accent",
    "info": "$text-primary",
}
ResultT = TypeVar("ResultT")


def style_of(role: str) -> str:
    """A role as a style of Textual's content."""
    return _STYLES.get(role, "$foreground")


def tell(line: Static, text: Content | None) -> None:
    """Show a text, or no line where there is none.

    Only another text is drawn, and only one that may take more or fewer lines has the screen laid
    out again: that costs more than everything else about a key.
    """
    line.display = text is not None
    before = line.content
    if text is not None and not (isinstance(before, Content) and text.is_same(before)):
        line.update(text, layout=line.styles.height is None or line.styles.height.is_auto)


def too_small(width: int, height: int) -> str | None:
    """What a window lacks to be usable, in one line; None if nothing."""
    columns, rows = max(0, SMALLEST[0] - width), max(0, SMALLEST[1] - height)
    if not columns and not rows:
        return None
    lacks = [f"{columns} more columns"] * bool(columns) + [f"{rows} more rows"] * bool(rows)
    return f"too small: {' and '.join(lacks)} needed"


def size_classes(size: Size) -> set[str]:
    """The classes of a window of so many cells, one for its width and one for its height."""
    return {
        next(name for least, name in reversed(steps) if cells >= least)
        for cells, steps in ((size.width, WIDTHS), (size.height, HEIGHTS))
    }


class MountedOnce(Screen[ResultT]):
    """A screen that is styled as it is mounted, and not once more when it is first in sight.

    Textual would look for the rules of every widget again, which is half of what it costs to open
    one.
    """

    _was_in_sight = False

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """It comes into sight; later on settings and theme may have changed meanwhile.

        Textual calls its own handler of the same name after this one.
        """
        event.refresh_styles = event.refresh_styles and self._was_in_sight
        self._was_in_sight = True


class DeckScreen(MountedOnce[None]):
    """A full screen: its own widgets above one line of keys.

    ``places`` are the registry's places whose actions work here, beside those everywhere.
    """

    places: ClassVar[tuple[Place, ...]] = ()
    BINDINGS = keys.bindings(Place.EVERYWHERE, ids=keys.ON_SCREEN)
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    # The actions that a key does which a field would otherwise keep: enter, where one is written.
    ends_typing: ClassVar[frozenset[str]] = frozenset()
    _key_states: tuple[tuple[bool | None, str], ...] | None = None

    @property
    def deck(self) -> StepdeckApp:
        """The app, typed."""
        return cast("StepdeckApp", self.app)

    def compose(self) -> ComposeResult:
        # Before there is anything to be styled; Textual's first event of the size comes after.
        self.set_class(True, *size_classes(self.app.size), update=False)
        yield from self.compose_deck()
        yield KeyBar()
        yield Static("", id="too-small", markup=False)

    def compose_deck(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def allows(self, action: str) -> bool | None:  # noqa: ARG002
        """Whether an action works now: None shows it greyed, False hides it."""
        return True

    def works(self, action: Action) -> bool:
        """Whether an action does anything where one is: those of lists need one with the arrows."""
        if action.place is Place.LIST:
            return isinstance(self.focused, DeckTable)
        return self.allows(action.method) is True

    def label(self, action: Action) -> str:
        """What an action is called here and now."""
        return action.label

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Textual's question before it does an action."""
        return False if self.deck.key_is_fields else self.allows(action)

    def show_tick(self, tick: Tick) -> None:
        """A new look at the ledger has come in."""

    def show_trouble(self, error: StepdeckError | None) -> None:
        """The ledger cannot be read (``error``), or can be again (None)."""

    def leave(self) -> None:
        """What esc does here."""

    def second_passed(self) -> None:
        """A second has passed: ages have grown."""

    def why_not(self, _action: str) -> str | None:
        """Why an action does nothing now, where that is not plain to see."""
        return None

    def strategy_saved(self, _path: Path) -> None:
        """A strategy's file that is watched was saved."""

    def take_settings(self) -> None:
        """Other settings are in force: other keys are named."""
        for button in self.query(ActionButton):
            button.rename(self.deck.keys, button.word)
        self.query_one(KeyBar).refresh(layout=True)

    def on_descendant_focus(self) -> None:
        """A field takes keys that a list leaves alone: other ones are named."""
        self._name_keys()

    def on_descendant_blur(self) -> None:
        """As above."""
        self._name_keys()

    def _name_keys(self) -> None:
        for bar in self.query(KeyBar):
            bar.refresh()

    def leaves_field(self, field: Input, key: str) -> bool:  # noqa: ARG002
        """Whether a key ends typing in a field of this screen."""
        return False

    def left_field(self, field: Input, key: str) -> None:
        """Typing in the field has ended with the key: what was typed is in it."""

    def on_resize(self, event: events.Resize) -> None:
        lacks = too_small(event.size.width, event.size.height)
        self.set_class(lacks is not None, "-too-small")
        self.query_one("#too-small", Static).update(Content(lacks or ""))

    def action_next_panel(self) -> None:
        """Focus the next panel."""
        self.focus_next()

    def action_previous_panel(self) -> None:
        """Focus the previous panel."""
        self.focus_previous()

    def refresh_keys(self) -> None:
        """What can be done here may have changed: if so, draw the key bar and the buttons anew."""
        states = tuple(
            (self.allows(action.method), self.label(action)) for action in keys.of(*self.places)
        )
        if states == self._key_states:
            return
        self._key_states = states
        for button in self.query(ActionButton):
            state = self.allows(button.act.method)
            button.disabled = state is not True
            if not button.fitted:
                button.display = state is not False
        self.query_one(KeyBar).refresh()


class DeckDialog(MountedOnce[ResultT], ModalScreen[ResultT]):
    """A dialog over a screen."""

    # Textual's own tab waits in the queue of the field it leaves; enter at its heels would still
    # be that field's: an order placed where a list was to be opened.
    BINDINGS = keys.bindings(Place.EVERYWHERE, ids=keys.ON_SCREEN)
    places: ClassVar[tuple[Place, ...]] = ()

    @property
    def deck(self) -> StepdeckApp:
        """The app, typed."""
        return cast("StepdeckApp", self.app)

    def action_next_panel(self) -> None:
        """Focus the next field."""
        self.focus_next()

    def action_previous_panel(self) -> None:
        """Focus the field before."""
        self.focus_previous()


class ActionButton(Button):
    """A button that does an action of the registry and names its key.

    It takes no focus: its key is always at hand, and the arrows stay with the list.
    """

    can_focus = False

    def __init__(
        self,
        action_id: str,
        shown: keys.Keys,
        label: str | None = None,
        *,
        fitted: bool = False,
        every: bool = False,
    ) -> None:
        self.act: Action = keys.BY_ID[action_id]
        # Whether all its keys are named: beside fields, which take some of them, one is not enough.
        self.every = every
        # Whether it stands in a line that shows as many as fit.
        self.fitted = fitted
        self.word = label or self.act.label
        super().__init__(
            self.text(shown, self.word),
            id=action_id.replace(".", "-").replace("_", "-"),
            action=f"{'app' if self.act.place is Place.EVERYWHERE else 'screen'}.{self.act.method}",
            compact=True,
            tooltip=self.act.help,
        )

    def text(self, shown: keys.Keys, label: str) -> Content:
        """The button's face: the key, then the word."""
        return Content.assemble(
            (shown.shown(self.act, every=self.every), "$text-accent bold"), " ", label
        )

    def rename(self, shown: keys.Keys, label: str) -> None:
        """Give the button another word."""
        self.word = label
        face = self.text(shown, label)
        if face != self.label:
            self.label = face
            self.refresh(layout=True)


class KeyBar(Static):
    """One line of keys that work here beside the buttons, as many as fit; each can be clicked."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._spans: list[tuple[int, int, Action]] = []

    def _actions(self) -> list[tuple[Action, bool]]:
        screen = self.screen
        places = screen.places if isinstance(screen, DeckScreen) else ()
        # What has its button in sight needs no second place.
        buttons = {button.act for button in screen.query(ActionButton) if button.display}
        found = []
        for action in sorted(keys.of(*places, Place.EVERYWHERE), key=lambda action: action.bar):
            if action.bar and action not in buttons:
                state = screen.allows(action.method) if isinstance(screen, DeckScreen) else True
                if state is not False:
                    found.append((action, state is True))
        return found

    def _key_of(self, action: Action) -> str | None:
        """The first of the action's keys that works where the focus is; None if none does."""
        screen, shown = self.screen, cast("StepdeckApp", self.app).keys
        focused = screen.focused
        ends = isinstance(screen, DeckScreen) and action.method in screen.ends_typing
        for key in shown.of(action):
            if ends or not keys.takes(focused, key):
                return keys.show(key)
        return None

    def render(self) -> Content:
        room = self.size.width - 1
        found = self._actions()
        named = {action: key for action, _ in found if (key := self._key_of(action)) is not None}
        actions = [pair for pair in found if pair[0] in named]
        # What works everywhere stands last and is never pushed out.
        tail = [pair for pair in actions if pair[0].place is Place.EVERYWHERE]
        head = [pair for pair in actions if pair[0].place is not Place.EVERYWHERE]

        screen = self.screen

        def label(action: Action) -> str:
            return screen.label(action) if isinstance(screen, DeckScreen) else action.label

        def width(action: Action) -> int:
            return len(named[action]) + 1 + len(label(action)) + 2

        left = room - sum(width(action) for action, _ in tail)
        kept = []
        for pair in head:
            left -= width(pair[0])
            if left < 0:
                break
            kept.append(pair)
        self._spans = []
        parts: list[Content] = [Content(" ")]
        at = 1
        for action, works in [*kept, *tail]:
            start = at
            key_style, word_style = ("$accent bold", "$text-muted") if works else ("dim", "dim")
            key = named[action]
            parts.append(Content.assemble((key, key_style), " ", (label(action), word_style), "  "))
            at += width(action)
            self._spans.append((start, at - 2, action))
        return Content("").join(parts)

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        for start, end, action in self._spans:
            if start <= event.x < end:
                await cast("StepdeckApp", self.app).act(action)
