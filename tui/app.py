"""The terminal app: wiring only. Screens show the ledger, the gateway is asked for things."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widgets import Input

from engine.errors import InvalidOption
from tui import keys, sweeping
from tui.keys import Action, Keys, Place
from tui.messages import (
    Acted,
    Broke,
    Failed,
    Made,
    Polled,
    PollTrouble,
    Said,
    StrategySaved,
    Tick,
)
from tui.poller import Poller
from tui.safe import safe_line
from tui.screens.base import DeckScreen
from tui.viewmodel import runs
from tui.watching import FileWatch
from tui.work import Work

if TYPE_CHECKING:
    from engine.errors import StepdeckError
    from engine.model import RunRecord
    from tui.gateway import Gateway
    from tui.screens.dialogs import Leave
    from tui.settings import Settings

log = logging.getLogger(__name__)

WRITING_SECONDS: Final = 0.002
PAUSE_SECONDS: Final = 0.25


def utc_now() -> datetime:
    """The wall time, aware, in UTC."""
    return datetime.now(UTC)


class StepdeckApp(App[None]):
    """The deck on one ledger, on run ``run_id`` if one is given.

    ``now`` is the clock that ages are measured with. The app closes nothing: who opened the gateway
    closes it, after the app has done with the live runs what the person chose.

    Raises ``InvalidOption`` for a keymap that names no action or gives one key to two, and for a
    theme that there is not.
    """

    TITLE = "stepdeck"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = keys.bindings(
        Place.EVERYWHERE,
        ids=[a.id for a in keys.of(Place.EVERYWHERE) if a.id not in keys.ON_SCREEN],
    )

    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        run_id: str | None = None,
        *,
        read_only: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self.gateway = gateway
        self.settings = settings
        self.read_only = read_only
        self.now = now
        self.keys = Keys(settings.keymap)
        self.tick: Tick | None = None
        self.trouble: StepdeckError | None = None
        self.work = Work()
        self.files = FileWatch(self.post_message)
        self.poller = Poller(gateway, self.post_message)
        self._first_run = run_id
        self._leaving: Leave = "stay"
        self.key_is_fields = False
        self._answering = False
        self._pause: asyncio.TimerHandle | None = None
        self.set_keymap(self.keys.keymap)
        self._take_theme()

    def _take_theme(self) -> None:
        from tui.theme import themes_for

        themes = themes_for(self.console.color_system)
        for theme in themes:
            if theme.name not in self.available_themes:
                self.register_theme(theme)
        wanted = self.settings.theme or themes[0].name
        if wanted not in self.available_themes:
            raise InvalidOption(
                f"theme is {wanted!r}",
                field="theme",
                remedy=f"one of {', '.join(sorted(self.available_themes))}",
            )
        self.theme = wanted

    # -- keys -----------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Before a key finds its action: does it belong to the field that has the focus?"""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.key_is_fields = keys.belongs_to(self.focused, event)
            if not self.key_is_fields:
                self._say_why_not(event)
            if not (self.key_is_fields and await self._leaves_field(event.key)):
                await super().on_event(event)
            self.key_is_fields = False
            self._answering = True
            self._still()
        else:
            await super().on_event(event)

    def post_display_hook(self) -> None:
        """A frame has been given to the terminal (Textual's hook): is it a key's answer?"""
        if self._answering:
            self._answering = False
            # Textual writes on a thread of its own, which has to come by the lock first.
            asyncio.get_running_loop().call_later(WRITING_SECONDS, self._answered)

    def _answered(self) -> None:
        self.gateway.key_answered()
        sweeping.after_frame()
        self._still()
        self._pause = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._in_pause)

    def _still(self) -> None:
        """Somebody is typing: there is no pause yet."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _in_pause(self) -> None:
        self._pause = None
        sweeping.in_pause()

    async def _leaves_field(self, key: str) -> bool:
        """Let a key that leaves a field do so now, so that the key behind it finds the list."""
        screen, field = self.screen, self.focused
        if not isinstance(screen, DeckScreen) or not isinstance(field, Input):
            return False
        if not screen.leaves_field(field, key):
            return False
        # What was typed before is still on its way into the field.
        arrived = asyncio.Event()
        field.call_later(arrived.set)
        await arrived.wait()
        screen.left_field(field, key)
        return True

    def _say_why_not(self, event: events.Key) -> None:
        """A key that does nothing says why: a deck that watches, a run that is not live."""
        screen = self.screen
        if not isinstance(screen, DeckScreen):
            return
        for action in keys.of(*screen.places):
            if set(self.keys.of(action)).isdisjoint(event.aliases):
                continue
            if self.read_only and action.writes:
                self.say_watching(action.label)
            elif (reason := screen.why_not(action.method)) is not None:
                self.clear_notifications()
                self.notify(f"{action.label}: {reason}", severity="warning", markup=False)

    def say_watching(self, what: str) -> None:
        """Say why a deck that watches does not do ``what``."""
        self.clear_notifications()
        self.notify(
            f"{what} refused: watching only\nstepdeck without watch drives runs",
            severity="warning",
            markup=False,
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What works everywhere does not reach past a dialog, nor into a field."""
        return not (self.key_is_fields or self.screen.is_modal)

    # -- life -----------------------------------------------------------------------------------

    def get_default_screen(self) -> DeckScreen:
        """The runs of the ledger are home."""
        from tui.screens.runs import RunsScreen

        return RunsScreen()

    def on_mount(self) -> None:
        if self._first_run is not None:
            self.open_run(self._first_run)
        if not self.is_headless:
            # A window that closes and a machine that goes down leave no time for questions.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.exit)
            self._stop_outside_transactions()
        self.poller.start()
        self.set_interval(1.0, self._second_passed)

    def _stop_outside_transactions(self) -> None:
        """Ctrl-Z stops the process between two writes: in one it would hold up everybody."""
        stop = signal.getsignal(signal.SIGTSTP)
        if not callable(stop):
            return

        def still(number: int, frame: FrameType | None) -> None:
            with self.gateway.still():
                stop(number, frame)

        signal.signal(signal.SIGTSTP, still)

    def on_unmount(self) -> None:
        self.poller.stop()
        self.work.stop()
        self.files.stop()

    def _second_passed(self) -> None:
        if self._pause is None:
            sweeping.in_pause()
        screens = self._deck_screens()
        if screens and screens[-1] is self.screen:
            screens[-1].second_passed()

    def _fatal_error(self) -> None:
        """A bug: the traceback goes to the log, the person gets a line (Textual's hook)."""
        fault = self._exception
        log.critical("the app crashed", exc_info=fault)
        kind = type(fault).__name__ if fault is not None else "unknown fault"
        self.panic(
            f"stepdeck: the app crashed: {kind}; live runs stay resumable; "
            f"see {self.settings.log_path}"
        )

    # -- what threads say -----------------------------------------------------------------------

    def _deck_screens(self) -> list[DeckScreen]:
        """The screens that stand, the one in sight last; one still being built looks by itself."""
        if not self.is_running:
            return []
        return [
            screen
            for screen in self.screen_stack
            if isinstance(screen, DeckScreen) and screen.is_mounted
        ]

    def on_polled(self, message: Polled) -> None:
        if self.tick is None and not self.is_headless:
            sweeping.set_apart()
        self.tick = message.tick
        screens = self._deck_screens()
        if screens:
            # What lies beneath catches up when it comes to light.
            screens[-1].show_tick(message.tick)
        if self._leaving == "wait":
            self._leave_when_done()

    def on_poll_trouble(self, message: PollTrouble) -> None:
        self.trouble = message.error
        for screen in self._deck_screens():
            screen.show_trouble(message.error)

    def on_failed(self, message: Failed) -> None:
        self.show_error(message.title, message.error)

    def on_broke(self, message: Broke) -> None:
        raise message.fault

    def on_strategy_saved(self, message: StrategySaved) -> None:
        for screen in self._deck_screens():
            screen.strategy_saved(message.path)

    def on_acted(self) -> None:
        self.poller.look_now()

    def on_app_focus(self) -> None:
        self.poller.set_focused(True)

    def on_app_blur(self) -> None:
        self.poller.set_focused(False)

    # -- what screens ask for -------------------------------------------------------------------

    def ask(
        self,
        title: str,
        action: str,
        call: Callable[[], RunRecord],
        target: MessagePump | None = None,
        *,
        run_id: str = "",
    ) -> None:
        """Ask the service beside the screen; ``title`` finishes "could not …".

        What is asked of a run, ``run_id``, is done in order and keeps nothing of others waiting.
        """

        def doing() -> Message:
            acted = Acted(action, (call(),))
            # It has yet to be read and drawn: as much of a key's answer as what came before.
            self.gateway.key_came()
            return acted

        self.work.ask(title, doing, target or self, run_id)

    def cancel_run(self, action: str, run_id: str, target: MessagePump | None = None) -> None:
        """Cancel a run at once: before what waits for a call of its strategy to return."""

        def cancelling() -> Message:
            return Acted(action, (self.gateway.cancel(run_id),))

        self.work.overtake("cancel the run", cancelling, target or self, run_id)

    def ask_each(
        self,
        title: str,
        action: str,
        call: Callable[[str], RunRecord],
        run_ids: Iterable[str],
    ) -> None:
        """Ask the service the same of several runs; one refusal does not keep the others back."""
        for run_id in run_ids:
            self.ask(title, action, partial(call, run_id), run_id=run_id)

    def export(
        self, run_ids: Sequence[str], named: str, moment: int | None = None, all_steps: int = 0
    ) -> None:
        """Ask for format and place, then write the runs there and say so.

        ``moment`` is what is looked at of the one run, in settled grid points of ``all_steps``.
        """
        from tui.screens.export import Export, ExportDialog

        several = len(run_ids) > 1

        def answered(chosen: Export | None) -> None:
            if chosen is None:
                return
            from tui.export import export_run

            def writing() -> Message:
                for run_id in run_ids:
                    place = chosen.place(run_id, several=several)
                    export_run(self.gateway, run_id, chosen.form, place, settled=chosen.settled)
                return Said(f"written: {chosen.target}")

            self.work.ask(f"export {named}", writing, self)

        self.push_screen(ExportDialog(run_ids, named, moment, all_steps), answered)

    def on_said(self, message: Said) -> None:
        self.say(message.text)

    def on_made(self, message: Made) -> None:
        self.poller.look_now()
        self.open_run(message.run_id)

    def say(self, text: str) -> None:
        """A word in passing, in the corner."""
        self.notify(safe_line(text, 200), markup=False)

    def show_error(self, title: str, error: StepdeckError) -> None:
        """The error panel: cause, remedy, log."""
        from tui.screens.dialogs import ErrorDialog

        self.push_screen(ErrorDialog(title, error, str(self.settings.log_path)))

    def open_run(self, run_id: str, at: int | None = None) -> None:
        """Open the run's screen, looking back at ``at`` settled steps if given."""
        from tui.screens.run import RunScreen

        self.push_screen(RunScreen(run_id, at))

    async def act(self, action: Action) -> None:
        """Do an action of the registry, wherever it was chosen: key bar, palette."""
        screen = self.screen
        there = (screen.focused, screen) if action.place is Place.LIST else (screen,)
        for place in (*there, None if screen.is_modal else self):
            if place is not None and hasattr(place, f"action_{action.method}"):
                await self.run_action(action.method, place)
                return

    # -- actions --------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The keys of the place one is in."""
        from tui.screens.help import HelpScreen

        screen = self.screen
        if isinstance(screen, DeckScreen):
            # Asked now: once help is there, it has the focus.
            working = {action for action in keys.of(*screen.places) if screen.works(action)}
            self.push_screen(
                HelpScreen(
                    screen.places,
                    lambda action: action in working or action.place is Place.EVERYWHERE,
                )
            )

    def action_palette(self) -> None:
        """Find an action by its name."""
        from textual.command import CommandPalette

        from tui.palette import ActionProvider

        if isinstance(self.screen, DeckScreen):
            self.push_screen(
                CommandPalette(providers=[ActionProvider], placeholder="what do you want to do?")
            )

    async def action_back(self) -> None:
        """Leave the screen on top; the first one stays."""
        if isinstance(self.screen, DeckScreen):
            self.screen.leave()

    def action_redraw(self) -> None:
        """Draw the screen anew."""
        self.refresh(layout=True)
        self.screen.refresh(layout=True)

    def action_log(self) -> None:
        """The log: what the run in sight has printed, or the app's own."""
        from tui.screens.log import LogScreen

        screen = self.screen
        if isinstance(screen, DeckScreen) and not isinstance(screen, LogScreen):
            self.push_screen(LogScreen(getattr(screen, "run_id", None)))

    def action_settings(self) -> None:
        """Every setting, to look at and to change."""
        from tui.screens.settings import SettingsScreen

        screen = self.screen
        if isinstance(screen, DeckScreen) and not isinstance(screen, SettingsScreen):
            self.push_screen(SettingsScreen())

    def take_settings(self, settings: Settings) -> None:
        """Let other settings be in force, as far as they can be while the app runs."""
        self.settings = settings
        self.keys = Keys(settings.keymap)
        self.set_keymap(self.keys.keymap)
        self._take_theme()
        for screen in self._deck_screens():
            screen.take_settings()

    def action_theme(self) -> None:
        """Choose the colours."""
        self.search_themes()

    async def action_quit(self) -> None:
        """Quit; with live runs here, ask first what becomes of them."""
        live = () if self.read_only else self.gateway.active()
        if not live:
            self.exit()
            return
        from tui.screens.dialogs import QuitDialog

        self.push_screen(
            QuitDialog(self._describe(live), moving=self._moving()), partial(self._leave, live)
        )

    def _describe(self, run_ids: Iterable[str]) -> list[str]:
        records = (
            {row.record.run_id: row.record for row in self.tick.snapshot.rows} if self.tick else {}
        )
        return [
            runs.one_line(records[run_id]) if run_id in records else run_id for run_id in run_ids
        ]

    def _leave(self, live: tuple[str, ...], choice: Leave | None) -> None:
        self._leaving = choice or "stay"
        if self._leaving == "interrupt":
            self.exit()
        elif self._leaving == "cancel":
            self.work.ask("cancel the runs", partial(self._cancel_and_leave, live), self, "quit")
        elif self._leaving == "wait":
            self.notify(
                "stepdeck quits when the moving runs are done; q to choose again", timeout=8
            )
            self._leave_when_done()

    def _cancel_and_leave(self, live: tuple[str, ...]) -> Message:
        for run_id in live:
            self.gateway.cancel(run_id)
        return Left()

    def on_left(self) -> None:
        self.exit()

    def _leave_when_done(self) -> None:
        """Quit once nothing moves by itself: what waits for a hand is left resumable."""
        if self.tick is not None and not self._moving():
            self.exit()

    def _moving(self) -> bool:
        """Whether a run of this process goes on by itself."""
        here = set(self.gateway.active())
        return self.tick is None or any(
            row.record.run_id in here
            and row.record.status in ("created", "loading", "running")
            and row.record.driver != "manual"
            for row in self.tick.snapshot.rows
        )


class Left(Message):
    """Everything asked for before quitting has been done."""
