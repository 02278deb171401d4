"""The deck's colours: readable, and never alone in what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich._palettes import STANDARD_PALETTE
from rich.color import ColorSystem
from textual import constants
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.settings import load_settings
from tui.theme import DARK, SIXTEEN, THEMES, themes_for

TEXT = (
    "text",
    "text-muted",
    "text-primary",
    "text-secondary",
    "text-accent",
    "text-warning",
    "text-error",
    "text-success",
)
GROUNDS = ("background", "surface", "panel", "block-cursor-background")


def luminance(color: Color) -> float:
    """Relative luminance as WCAG 2.1 defines it."""

    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel) for channel in color.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio as WCAG 2.1 defines it, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colors(which: Theme) -> dict[str, Color]:
    """The theme's variables as the app sees them."""
    variables = {**which.to_color_system().generate(), **which.variables}
    return {name: Color.parse(variables[name]) for name in (*TEXT, *GROUNDS)}


@pytest.mark.parametrize("which", THEMES, ids=lambda which: which.name)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXT)
def test_text_stands_out(which: Theme, text: str, ground: str) -> None:
    """Every text colour has a contrast of 4.5 to 1 on every ground it can stand on."""
    palette = colors(which)
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("which", SIXTEEN, ids=lambda which: which.name)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXT)
def test_text_stands_out_in_sixteen_colours(which: Theme, text: str, ground: str) -> None:
    """A terminal shows its own shades; told apart are they, and gain from loss, on every ground."""
    palette = colors(which)
    assert contrast(palette[text], palette[ground]) >= 2.6
    assert palette["text-success"] != palette["text-error"]
    assert palette["block-cursor-background"] != palette["background"]


@pytest.mark.parametrize("which", SIXTEEN, ids=lambda which: which.name)
def test_the_sixteen_are_what_a_terminal_of_sixteen_shows(which: Theme) -> None:
    """No colour is matched with another one: none turns grey."""
    for color in colors(which).values():
        found = color.rich_color.downgrade(ColorSystem.STANDARD)
        assert found.number is not None
        assert STANDARD_PALETTE[found.number] == (color.r, color.g, color.b)


async def test_a_terminal_of_sixteen_colours_has_themes_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under the same names, so that the setting is the same."""
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "standard")
    gateway = Gateway.open(tmp_path / "runs.db")
    try:
        app = StepdeckApp(gateway, load_settings({}))
        assert app.current_theme == SIXTEEN[0]
        assert themes_for("truecolor") == themes_for("256") == THEMES
    finally:
        gateway.close()


@pytest.mark.parametrize("which", THEMES, ids=lambda which: which.name)
async def test_an_app_takes_the_theme_as_it_is(which: Theme) -> None:
    """The theme's own text colours win over the tints that Textual works out."""
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.register_theme(which)
        app.theme = which.name
        await pilot.pause()
        assert app.theme_variables["text-success"] == which.variables["text-success"]
        assert app.current_theme.dark is (which is DARK)
