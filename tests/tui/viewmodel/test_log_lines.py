"""A log's newest lines: read from the end, cut, filtered, inert."""

from __future__ import annotations

from pathlib import Path

from tui.viewmodel import log_lines


def test_the_newest_lines_of_a_long_file(tmp_path: Path) -> None:
    """Only the end is read, from a whole line on, and that there is more is said."""
    path = tmp_path / "long.log"
    path.write_text("".join(f"line {number:07}\n" for number in range(100_000)), "utf-8")
    lines = log_lines.read(path)
    assert lines.cut
    assert lines.texts[-1] == "line 0099999"
    assert all(len(text) == 12 for text in lines.texts)


def test_no_file_and_no_text_are_no_lines(tmp_path: Path) -> None:
    """Neither is an error."""
    assert log_lines.read(tmp_path / "none.log").texts == ()
    (tmp_path / "empty.log").touch()
    assert log_lines.read(tmp_path / "empty.log").texts == ()


def test_a_change_shows_in_the_stamp(tmp_path: Path) -> None:
    """So that a quiet file is not read again."""
    path = tmp_path / "a.log"
    assert log_lines.stamp_of(path) is None
    path.write_text("one\n", "utf-8")
    before = log_lines.stamp_of(path)
    assert log_lines.read(path).stamp == before
    path.write_text("one\ntwo\n", "utf-8")
    assert log_lines.stamp_of(path) != before


def test_bytes_that_are_no_text_and_escapes_are_shown_inert(tmp_path: Path) -> None:
    """A strategy may print anything."""
    path = tmp_path / "a.log"
    path.write_bytes(b"\xff\xfe \x1b[31mred\x1b]0;t\x07 end\n")
    cell = log_lines.row(log_lines.read(path), 0).cells[0]
    assert cell.text == "\ufffd\ufffd red end"


def test_levels_have_their_colour(tmp_path: Path) -> None:
    """Warnings are for attention, errors are losses; what is printed is only text."""
    path = tmp_path / "a.log"
    path.write_text(
        "2026-01-01 10:00:00,000 1 WARNING x: a\n2026-01-01 10:00:00,000 1 ERROR x: b\nhello\n",
        "utf-8",
    )
    lines = log_lines.read(path)
    roles = [log_lines.row(lines, number).cells[0].role for number in range(3)]
    assert roles == ["attention", "loss", "text"]
    assert list(log_lines.passing(lines, "HELLO")) == [2]
