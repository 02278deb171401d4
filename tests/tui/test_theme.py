"""The deck's colours: readable, and never alone in what they say."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from tui.theme import DARK, THEMES

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
