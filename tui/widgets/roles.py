"""What a piece of text means, and the styles that meanings have in the theme in force.

A *role* names a meaning (gain, loss, muted…), a *ground* what lies behind a stretch of cells (the
cursor, a tag). Views are made of roles; only painting turns them into colours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.style import Style
from textual.widget import Widget

ROLES: Final = (
    "text",
    "strong",
    "muted",
    "faint",
    "gain",
    "loss",
    "attention",
    "accent",
    "info",
    "line",
    "baseline",
    "gain-soft",
    "loss-soft",
)
GROUNDS: Final = ("plain", "cursor", "cursor-blurred", "marked", "header", "column", "tag")
ROLE_INDEX: Final = {role: index for index, role in enumerate(ROLES)}
GROUND_INDEX: Final = {ground: index for index, ground in enumerate(GROUNDS)}
COMPONENTS: Final = frozenset(
    [f"role--{role}" for role in ROLES] + [f"ground--{ground}" for ground in GROUNDS]
)

_RULES: Final = """
    & > .role--text { color: $foreground; }
    & > .role--strong { color: $foreground; text-style: bold; }
    & > .role--muted { color: $text-muted; }
    & > .role--faint { color: $foreground-disabled; }
    & > .role--gain { color: $text-success; }
    & > .role--loss { color: $text-error; }
    & > .role--attention { color: $text-warning; }
    & > .role--accent { color: $text-accent; }
    & > .role--info { color: $text-primary; }
    & > .role--line { color: $text-primary; }
    & > .role--baseline { color: $text-secondary; }
    & > .role--gain-soft { color: $success-muted; }
    & > .role--loss-soft { color: $error-muted; }
    & > .ground--cursor { background: $block-cursor-background; text-style: bold; }
    & > .ground--cursor-blurred { background: $block-cursor-blurred-background; }
    & > .ground--marked { background: $warning 12%; }
    & > .ground--header { background: $panel; }
    & > .ground--column { background: $block-cursor-blurred-background; }
    & > .ground--tag { text-style: reverse; }
"""


def role_css(widget: str, own: str = "") -> str:
    """The default CSS of a widget class that paints with roles; ``own`` rules stand first."""
    return f"{widget} {{\n{own}{_RULES}}}\n"


class Span(NamedTuple):
    """A stretch of one line: harmless text, what it means and what lies behind it."""

    text: str
    role: str = "text"
    ground: str = "plain"


class Styles:
    """The widget's styles by role and ground, worked out once per theme.

    Call ``clear`` from ``notify_style_update``.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[tuple[str, str], Style] = {}

    def clear(self) -> None:
        """Forget everything: the theme or a pseudo class has changed."""
        self._styles.clear()

    def of(self, role: str, ground: str = "plain") -> Style:
        """The style of a role (an unknown one is plain text) on a ground."""
        style = self._styles.get((role, ground))
        if style is None:
            style = self._styles[role, ground] = self._work_out(role, ground)
        return style

    def _work_out(self, role: str, ground: str) -> Style:
        widget = self._widget
        name = role if role in ROLE_INDEX else "text"
        front = widget.get_component_rich_style(f"role--{name}")
        back = widget.get_component_rich_style(f"ground--{ground}")
        return Style(
            color=front.color,
            bgcolor=back.bgcolor,
            bold=bool(front.bold or back.bold),
            reverse=bool(back.reverse),
        )
