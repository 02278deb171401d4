"""The lists of a run: opened, sorted, marked, copied and exported from where one stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.files import refuse_to_be_there, typed_place
from tui.messages import Said
from tui.safe import safe_line
from tui.screens.run_looking import Looking
from tui.screens.run_symbols import Symbols
from tui.steps import settled_at
from tui.widgets.table import DeckTable, Row

if TYPE_CHECKING:
    from textual.message import Message


class Lists(Looking, Symbols):
    """What can be done in the list that has the arrows: positions, orders or decisions."""

    @property
    def table(self) -> DeckTable | None:
        """The list that has the arrows."""
        return self.focused if isinstance(self.focused, DeckTable) else None

    def chosen_rows(self, table: DeckTable) -> list[Row]:
        """The marked rows, else the one that the cursor stands on."""
        marked = frozenset(table.marked)
        if marked:
            return [row for row in table.rows if row.key in marked]
        return [table.rows[table.cursor_index]] if table.cursor_key is not None else []

    def on_deck_table_marked(self) -> None:
        """Keys that take all marked rows say so."""
        self.refresh_keys()

    def clear_marks(self) -> bool:
        """Take the marks of the list away; whether there were any."""
        table = self.table
        if table is None or not table.mark_count:
            return False
        table.clear_marks()
        return True

    # -- actions --------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.area.sort_focused()

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on to the next."""
        if self.table is not None:
            self.table.action_mark()

    def action_open(self) -> None:
        """Why an order became what it became; a decision's step; a holding's symbol."""
        table = self.table
        if table is not None and table.cursor_key is not None:
            self._open(str(table.id), table.cursor_key)

    def on_deck_table_opened(self, event: DeckTable.Opened) -> None:
        """A row was double clicked."""
        self._open(str(event.table.id), event.key)

    def _open(self, name: str, key: str) -> None:
        if name == "orders":
            self._tell_why(key)
        elif name == "decisions" and key.isdecimal():
            self.look_at(settled_at(int(key)))
        elif name == "positions":
            self.area.show_symbol(key)
            self.symbol_shown()

    def _tell_why(self, order_id: str) -> None:
        from tui.screens.why import WhyDialog

        if self.shown is not None:
            self.deck.push_screen(WhyDialog(self.shown, order_id, self.panel))

    def action_copy(self) -> None:
        """Copy the marked rows or the one that the list stands on, else the run's id."""
        rows = [] if self.table is None else self.chosen_rows(self.table)
        lines = ["\t".join(safe_line(cell.text) for cell in row.cells) for row in rows]
        self.deck.copy_to_clipboard("\n".join(lines or [self.run_id]))
        said = f"{len(lines)} rows" if len(lines) > 1 else "".join(lines) or self.run_id
        self.deck.say(f"copied {said}")

    def action_export(self) -> None:
        """Write the marked rows to a file; without marks the run, whole or as of the moment."""
        table, record = self.table, self.record
        if table is not None and table.mark_count:
            self._export_rows(str(table.id), table.marked)
            return
        named = record.name if record is not None and record.name else "the run"
        steps = record.step_index if record is not None else 0
        self.deck.export([self.run_id], safe_line(named), self.at, steps)

    def _export_rows(self, name: str, marked: Sequence[str]) -> None:
        """Ask for the file, then write the ledger's columns of the marked rows there."""
        from tui.screens.asking import AskDialog

        detail = self.shown
        if detail is None:
            return

        def check(text: str) -> str:
            target = typed_place(text)
            refuse_to_be_there(target, folder=False)
            return f"writes {target}"

        def answered(text: str | None) -> None:
            if text is None:
                return
            from tui.export import export_rows

            target = typed_place(text)

            def writing() -> Message:
                export_rows(detail, name, marked, target)
                return Said(f"written: {target}")

            self.deck.work.ask(f"export the {name}", writing, self.deck)

        self.deck.push_screen(
            AskDialog(
                f"Export {len(marked)} of the {name} as CSV",
                (),
                check,
                answer=str(Path.cwd() / f"{self.run_id}-{name}.csv"),
                yes="Write",
            ),
            answered,
        )
