"""Figures in aligned groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from tui.safe import cells
from tui.widgets.facts import Fact, Facts, FactsPanel, lay_out_facts

GROUPS = (
    Facts(
        "Result",
        (
            Fact("total return", "+4.12%", "gain", "final / initial - 1"),
            Fact("sharpe", "–", "text", "daily, x sqrt(252)"),
        ),
    ),
    Facts("Trades", (Fact("fills", "128"), Fact("round trips", "61"))),
    Facts("Rules", (Fact("bars", "0123456789abcdef" * 3),)),
)


def text_of(groups: tuple[Facts, ...], width: int) -> str:
    """The panel's lines as text."""
    lines = lay_out_facts(groups, width)
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


FACT = st.builds(
    Fact, st.text(max_size=20), st.text(max_size=30), st.just("text"), st.text(max_size=50)
)
GROUP = st.builds(Facts, st.text(max_size=20), st.lists(FACT, max_size=4).map(tuple))


@given(st.lists(GROUP, max_size=5), st.integers(0, 200))
def test_every_line_takes_exactly_its_width(groups: list[Facts], width: int) -> None:
    """Whatever the figures are called and however wide the panel is."""
    for line in lay_out_facts(groups, width):
        assert cells("".join(span.text for span in line)) == width


def test_values_end_at_one_edge_with_their_formulas_beside() -> None:
    """Labels left, values right-aligned, notes after them, in one column where that is all."""
    assert text_of(GROUPS[:2], 60).splitlines() == [
        "Result",
        "total return  +4.12%  final / initial - 1",
        "sharpe             –  daily, x sqrt(252)",
        "",
        "Trades",
        "fills            128",
        "round trips       61",
    ]


def test_groups_stand_side_by_side_where_they_fit() -> None:
    """A wide panel uses its width; a group is never torn apart."""
    lines = text_of(GROUPS, 160).splitlines()
    assert lines[0].split() == ["Result", "Trades", "Rules"]
    assert len(lines) == 3


def test_a_long_word_runs_on_to_the_right() -> None:
    """A hash is shown whole where the line has room for it."""
    assert "0123456789abcdef" * 3 in text_of(GROUPS, 80)


def test_groups_without_facts_are_left_out() -> None:
    """No title above nothing."""
    assert text_of((Facts("Empty", ()),), 80) == ""


class FactsApp(App[None]):
    """A panel alone."""

    def compose(self) -> ComposeResult:
        yield FactsPanel(empty="No figures before the first step")


async def test_the_panel_repaints_what_changed_and_scrolls() -> None:
    """One figure is one line; more lines than fit can be reached."""
    app = FactsApp()
    async with app.run_test(size=(50, 5)) as pilot:
        panel = app.query_one(FactsPanel)
        await pilot.pause()
        assert "No figures" in panel.render_line(0).text
        panel.show(GROUPS)
        await pilot.pause()
        assert panel.show(GROUPS) == 0
        changed = (GROUPS[0], Facts("Trades", (Fact("fills", "129"), Fact("round trips", "61"))))
        assert panel.show((*changed, GROUPS[2])) == 1
        assert panel.max_scroll_y > 0
        panel.scroll_end(animate=False)
        await pilot.pause()
        assert "bars" in panel.render_line(4).text
        await pilot.resize_terminal(160, 5)
        await pilot.pause()
        assert panel.max_scroll_y == 0
        assert panel.render_line(0).cell_length == 159  # the scrollbar keeps its column
