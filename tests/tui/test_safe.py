"""The display edge: nothing a terminal would obey gets through, and nothing else is lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.safe import cells, cut, fit, safe_line, safe_text

ESC = "\x1b"
ST = ESC + "\\"

# (what came in, what may be shown)
PAYLOADS: list[tuple[str, str]] = [
    (f"{ESC}[31mred{ESC}[0m", "red"),
    (f"{ESC}[2J{ESC}[Hgone", "gone"),
    (f"{ESC}[?1049hscreen", "screen"),
    (f"{ESC}[38;2;1;2;3mtrue", "true"),
    (f"{ESC}[10;20Rreport", "report"),
    (f"{ESC}[6nask", "ask"),
    (f"{ESC}[>0cask", "ask"),
    (f"{ESC}[!preset", "reset"),
    (f'{ESC}[61"plevel', "level"),
    (f"{ESC}[200~paste{ESC}[201~", "paste"),
    (f"a{ESC}[", "a"),
    (f"a{ESC}[12;", "a"),
    ("\x9b31mred", "red"),
    ("\x9b?25lhide", "hide"),
    (f"{ESC}]0;title\x07name", "name"),
    (f"{ESC}]2;title{ST}name", "name"),
    (f"{ESC}]52;c;cm0gLXJmIC8=\x07clip", "clip"),
    (f"{ESC}]52;c;cm0gLXJmIC8={ST}clip", "clip"),
    ("\x9d52;c;cm0=\x9cclip", "clip"),
    (f"{ESC}]8;;http://evil{ST}link{ESC}]8;;{ST}", "link"),
    (f"{ESC}]4;1;?{ST}ask", "ask"),
    (f"{ESC}]1337;File=inline=1:AAAA\x07img", "img"),
    (f"{ESC}]777;notify;a;b\x07note", "note"),
    (f"before{ESC}]0;never ends", "before"),
    (f"before{ESC}]52;c;AAAA\nsecond line", "before"),
    ("before\x9dnever ends", "before"),
    (f"{ESC}P+q544e{ST}dcs", "dcs"),
    (f"{ESC}P1$r0m{ST}dcs", "dcs"),
    (f"{ESC}Pq#0;2;0;0;0#0!10~{ST}sixel", "sixel"),
    ("\x90$qm\x9cdcs", "dcs"),
    (f"x{ESC}Pnever ends", "x"),
    (f"{ESC}P a\x07b{ST}after", "after"),
    (f"{ESC}_Gf=24;AAAA{ST}kitty", "kitty"),
    (f"{ESC}_never ends", ""),
    ("\x9fapc\x9cafter", "after"),
    (f"{ESC}^private{ST}pm", "pm"),
    ("\x9eprivate\x9cpm", "pm"),
    (f"x{ESC}^never", "x"),
    (f"{ESC}Xstring{ST}sos", "sos"),
    ("\x98string\x9csos", "sos"),
    (f"x{ESC}Xnever", "x"),
    (f"{ESC}creset", "reset"),
    (f"{ESC}(0charset", "charset"),
    (f"{ESC}#8align", "align"),
    (f"{ESC}7save{ESC}8", "save"),
    (f"{ESC}{ESC}[31mtwice", "twice"),
    (f"{ESC}[{ESC}[31m31mnested", "31mnested"),
    (f"end{ESC}", "end"),
    ("bell\x07 back\x08space\x00 null", "bell backspace null"),
    ("shift\x0e\x0fenq\x05", "shiftenq"),
    ("over\rwrite", "overwrite"),
    ("dos\r\nline", "dos\nline"),
    ("del\x7fete", "delete"),
    ("c1\x84\x8d\x96", "c1"),
    ("one\x0btwo\x0cthree", "one\ntwo\nthree"),
    ("one\x85two\u2028three\u2029four", "one\ntwo\nthree\nfour"),
    ("file\u202egnp.exe", "filegnp.exe"),
    ("\u202aa\u202bb\u202cc\u202dd", "abcd"),
    ("\u2066a\u2067b\u2068c\u2069", "abc"),
    ("\u200ea\u200fb\u061cc", "abc"),
    ("\ufeffbom", "bom"),
    ("tag\U000e0041\U000e007f", "tag"),
    ("lone \ud800 surrogate", "lone \ufffd surrogate"),
]


@pytest.mark.parametrize(("hostile", "shown"), PAYLOADS)
def test_payloads_lose_their_teeth(hostile: str, shown: str) -> None:
    """A known attack leaves only its visible text."""
    assert safe_text(hostile) == shown


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "AAPL 187.50",
        "[/tag] [b]no markup here[/b]",
        "two\nlines\tand a tab",
        "Größe · 東京 · 💹 · ½",
        "é as two code points: e\u0301",
        "שלום",
        "–",
    ],
)
def test_innocent_text_is_untouched(plain: str) -> None:
    """Text without control characters comes back as it went in, markup and all."""
    assert safe_text(plain) == plain


NASTY = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b\x07\x9b\x9d\x90\x98\x9c\x9e\x9f\\[]PX^_;?0m \n\t\r\x00\x7f\u202e\u2066"
        ),
        st.characters(),
    ),
    max_size=60,
)


def _harmless(character: str) -> bool:
    return character in "\n\t" or (
        unicodedata.category(character) not in ("Cc", "Cs")
        and character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


@given(NASTY)
def test_nothing_a_terminal_obeys_remains(text: str) -> None:
    """Whatever goes in, no control character but newline and tab comes out, nor a bidi control."""
    assert all(_harmless(character) for character in safe_text(text))


@given(NASTY)
def test_cleaning_is_a_fixed_point(text: str) -> None:
    """Clean text stays as it is."""
    assert safe_text(safe_text(text)) == safe_text(text)


@given(NASTY)
def test_clean_text_can_be_written(text: str) -> None:
    """Clean text has an encoding."""
    safe_text(text).encode()


@given(NASTY, st.integers(0, 40))
def test_a_line_is_one_line_of_at_most_its_width(text: str, width: int) -> None:
    """``safe_line`` never breaks and never takes more cells than it was given."""
    line = safe_line(text, width)
    assert "\n" not in line
    assert "\t" not in line
    assert len(line.splitlines()) <= 1
    assert cells(line) <= width


@given(NASTY, st.integers(0, 40), st.sampled_from(["left", "right", "center"]))
def test_fitted_text_takes_exactly_its_width(text: str, width: int, align: str) -> None:
    """``fit`` fills its cells exactly, with wide characters too."""
    assert cells(fit(safe_line(text), width, align)) == width  # type: ignore[arg-type]


def test_other_values_are_shown_as_text() -> None:
    """Numbers, None and exceptions may be given as they are."""
    assert safe_text(12) == "12"
    assert safe_text(None) == "None"
    assert safe_text(ValueError("a\x1b[31mb")) == "ab"


def test_what_is_cut_off_is_shown_by_an_ellipsis() -> None:
    """Cutting takes whole characters and says that it did."""
    assert cut("momentum", 8) == "momentum"
    assert cut("momentum", 5) == "mome…"
    assert cut("東京都港区", 6) == "東京…"
    assert cut("東京", 1) == "…"
    assert cut("abc", 0) == ""
    assert safe_line("a\nb\tc") == "a b c"


def test_alignment() -> None:
    """Padding stands on the side away from the text."""
    assert fit("ab", 5) == "ab   "
    assert fit("ab", 5, "right") == "   ab"
    assert fit("ab", 5, "center") == " ab  "
    assert fit("東京", 3) == "東…"
    assert fit("東京", 5) == "東京 "
