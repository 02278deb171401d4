"""The deck's own colours, dark and light: calm grounds, and hues kept for meaning.

Both give every text colour a contrast of at least 4.5 to 1 on the background, the surface and the
panel; rules and volume bars, which carry no text, stay quieter. No colour is ever the only carrier
of a meaning: a glyph, a sign or a word stands with it.

A terminal of sixteen colours would show the nearest of them: grey for most. There the themes are
made of the sixteen themselves, grounds flat and hues bright.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="stepdeck-dark",
    dark=True,
    primary="#5aa2e6",
    secondary="#b79adb",
    accent="#59c2c9",
    warning="#e3b262",
    error="#ef7a74",
    success="#82ca7d",
    foreground="#d3d9e0",
    background="#0f1318",
    surface="#151a21",
    panel="#1d242d",
    boost="#242c37",
    variables={
        "text": "#d3d9e0",
        "text-muted": "#949fae",
        "text-disabled": "#66717f",
        "text-primary": "#6fb1ef",
        "text-secondary": "#b79adb",
        "text-accent": "#59c2c9",
        "text-warning": "#e3b262",
        "text-error": "#ef7a74",
        "text-success": "#82ca7d",
        "foreground-muted": "#949fae",
        "foreground-disabled": "#3d4753",
        "success-muted": "#3f6443",
        "error-muted": "#7a4341",
        "border": "#59c2c9",
        "border-blurred": "#2b343f",
        "block-cursor-background": "#1f3650",
        "block-cursor-foreground": "#eef3f8",
        "block-cursor-blurred-background": "#1e2a37",
        "block-hover-background": "#1a212a",
        "scrollbar": "#2f3a47",
        "scrollbar-hover": "#3d4b5b",
        "scrollbar-active": "#59c2c9",
        "scrollbar-background": "#12171d",
        "scrollbar-corner-color": "#12171d",
        "footer-background": "#151a21",
        "footer-key-foreground": "#59c2c9",
        "input-cursor-background": "#d3d9e0",
        "input-selection-background": "#1f3650",
        "button-color-foreground": "#0f1318",
    },
)

LIGHT: Final = Theme(
    name="stepdeck-light",
    dark=False,
    primary="#1f66b0",
    secondary="#7a4fae",
    accent="#0b6e77",
    warning="#8a5800",
    error="#b8322a",
    success="#1f6b2c",
    foreground="#242a31",
    background="#faf9f6",
    surface="#f3f1ec",
    panel="#e9e6de",
    boost="#dfdbd1",
    variables={
        "text": "#242a31",
        "text-muted": "#57606c",
        "text-disabled": "#8b929b",
        "text-primary": "#1a5a9e",
        "text-secondary": "#7548aa",
        "text-accent": "#0b6570",
        "text-warning": "#855300",
        "text-error": "#b02a22",
        "text-success": "#1c6529",
        "foreground-muted": "#57606c",
        "foreground-disabled": "#bdbab2",
        "success-muted": "#a5c9a6",
        "error-muted": "#e3b1ab",
        "border": "#0b6e77",
        "border-blurred": "#d2cdc2",
        "block-cursor-background": "#cfe0f2",
        "block-cursor-foreground": "#16202b",
        "block-cursor-blurred-background": "#e2e6ea",
        "block-hover-background": "#eeebe4",
        "scrollbar": "#cdc8bc",
        "scrollbar-hover": "#b8b2a4",
        "scrollbar-active": "#0b6e77",
        "scrollbar-background": "#f3f1ec",
        "scrollbar-corner-color": "#f3f1ec",
        "footer-background": "#f3f1ec",
        "footer-key-foreground": "#0b6570",
        "input-cursor-background": "#242a31",
        "input-selection-background": "#cfe0f2",
        "button-color-foreground": "#faf9f6",
    },
)

THEMES: Final = (DARK, LIGHT)

# The sixteen as they are told apart when a colour is matched with the nearest: a terminal shows its
# own shades of them.
_BLACK, _RED, _GREEN, _BROWN, _BLUE, _MAGENTA, _CYAN, _GREY = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
)  # fmt: skip
_DIM, _LIGHT_RED, _LIGHT_GREEN, _YELLOW, _LIGHT_BLUE, _PINK, _LIGHT_CYAN, _WHITE = (
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip


def _of_sixteen(theme: Theme, hues: Mapping[str, str], grounds: Mapping[str, str]) -> Theme:
    """A theme of the same name made of other colours: ``hues`` by their meaning, and grounds."""
    text, muted, rule = grounds["text"], grounds["muted"], grounds["rule"]
    ground, cursor, rest = grounds["ground"], grounds["cursor"], grounds["rest"]
    return replace(
        theme,
        primary=hues["primary"],
        secondary=hues["secondary"],
        accent=hues["accent"],
        warning=hues["warning"],
        error=hues["error"],
        success=hues["success"],
        foreground=text,
        background=ground,
        surface=ground,
        panel=ground,
        boost=ground,
        variables=theme.variables
        | {f"text-{name}": hue for name, hue in hues.items()}
        | {
            "text": text,
            "text-muted": muted,
            "text-disabled": rule,
            "foreground-muted": muted,
            "foreground-disabled": rule,
            "success-muted": grounds["rose"],
            "error-muted": grounds["fell"],
            "border": hues["accent"],
            "border-blurred": rule,
            "block-cursor-background": cursor,
            "block-cursor-foreground": grounds["cursor-text"],
            "block-cursor-blurred-background": rest,
            "block-hover-background": rest,
            "scrollbar": muted,
            "scrollbar-hover": text,
            "scrollbar-active": hues["accent"],
            "scrollbar-background": ground,
            "scrollbar-corner-color": ground,
            "footer-background": ground,
            "footer-key-foreground": hues["accent"],
            "input-cursor-background": text,
            "input-selection-background": cursor,
            "button-color-foreground": ground,
        },
    )


DARK_16: Final = _of_sixteen(
    DARK,
    {
        "primary": _LIGHT_BLUE,
        "secondary": _PINK,
        "accent": _LIGHT_CYAN,
        "warning": _YELLOW,
        "error": _LIGHT_RED,
        "success": _LIGHT_GREEN,
    },
    {
        "text": _WHITE,
        "muted": _GREY,
        "rule": _DIM,
        "ground": _BLACK,
        "cursor": _BLUE,
        "cursor-text": _WHITE,
        "rest": _DIM,
        "rose": _GREEN,
        "fell": _RED,
    },
)
LIGHT_16: Final = _of_sixteen(
    LIGHT,
    {
        "primary": _BLUE,
        "secondary": _MAGENTA,
        "accent": _BLUE,
        "warning": _RED,
        "error": _RED,
        "success": _GREEN,
    },
    {
        "text": _BLACK,
        "muted": _DIM,
        "rule": _GREY,
        "ground": _WHITE,
        # What green and red are told apart on.
        "cursor": _YELLOW,
        "cursor-text": _BLACK,
        "rest": _GREY,
        "rose": _GREEN,
        "fell": _RED,
    },
)
SIXTEEN: Final = (DARK_16, LIGHT_16)


def themes_for(color_system: str | None) -> tuple[Theme, ...]:
    """The deck's themes for a terminal: ``standard`` and ``windows`` know sixteen colours."""
    return SIXTEEN if color_system in ("standard", "windows") else THEMES
