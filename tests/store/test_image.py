"""An image of columns is a database that SQLite reads as it was meant."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.connection import WritingConnection
from engine.store.image import MOST_ROWS, Cells, image


@pytest.fixture
def conn() -> Iterator[WritingConnection]:
    made = sqlite3.connect(":memory:", isolation_level=None, factory=WritingConnection)
    yield made
    made.close()


def bits(value: float | None) -> bytes:
    return struct.pack(">d", math.nan if value is None else value)


figures = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324])
integers = st.integers(-(2**63), 2**63 - 1)


@given(rows=st.lists(st.tuples(integers, figures, figures), max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_bit_comes_back(rows: list[tuple[int, float, float]]) -> None:
    """Integers, infinities and the smallest figures are read as they are; a NaN reads as NULL."""
    columns = (
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.float64),
    )
    conn = sqlite3.connect(":memory:", isolation_level=None, factory=WritingConnection)
    try:
        conn.lay_beside(image({"one": columns, "none": [np.empty(0)]}), "these")
        found = conn.execute("SELECT * FROM batch.one").fetchall()
        kinds = conn.execute("SELECT DISTINCT typeof(column1) FROM batch.one").fetchall()
        assert conn.execute("PRAGMA batch.integrity_check").fetchall() == [("ok",)]
        assert conn.execute("SELECT count(*) FROM batch.none").fetchone() == (0,)
    finally:
        conn.close()
    assert kinds == ([("integer",)] if rows else [])
    assert [row[0] for row in found] == [row[0] for row in rows]
    for got, meant in zip(found, rows, strict=True):
        for value, figure in zip(got[1:], meant[1:], strict=True):
            assert (value is None) == math.isnan(figure)
            assert math.isnan(figure) or bits(value) == bits(figure)


@given(length=st.integers(1, 200), data=st.data())
@settings(max_examples=40, deadline=None)
def test_texts_of_one_length(length: int, data: st.DataObject) -> None:
    """Texts stand between the numbers of their row, however long they are."""
    texts = data.draw(st.lists(st.text("aZ0:'-", min_size=length, max_size=length), max_size=40))
    places = np.arange(len(texts))
    columns = (places, np.array(texts, f"S{length}"), places / 2)
    conn = sqlite3.connect(":memory:", isolation_level=None, factory=WritingConnection)
    try:
        conn.lay_beside(image({"one": columns}), "these")
        found = conn.execute("SELECT * FROM batch.one").fetchall()
    finally:
        conn.close()
    assert found == [(place, text, place / 2) for place, text in enumerate(texts)]


# A leaf of 3 columns holds 862 rows: none, one, one less than full, full, one more, many leaves.
@pytest.mark.parametrize("rows", [0, 1, 800, 861, 862, 863, 864, 20_000, MOST_ROWS])
def test_every_size_is_sound(conn: WritingConnection, rows: int) -> None:
    """SQLite finds nothing wrong with it, and rows stand in their order."""
    numbers = np.arange(rows)
    tables: dict[str, list[Cells]] = {
        "first": [numbers, numbers / 3.0, -numbers],
        "second": [numbers],
    }
    conn.lay_beside(image(tables), "x")
    assert conn.execute("PRAGMA batch.integrity_check").fetchall() == [("ok",)]
    found = np.array(conn.execute("SELECT column1, column3 FROM batch.first").fetchall())
    assert np.array_equal(found.reshape(-1, 2)[:, 0], numbers)
    assert np.array_equal(found.reshape(-1, 2)[:, 1], -numbers)
    assert conn.execute("SELECT count(*) FROM batch.second").fetchone() == (rows,)


def test_small_integers_are_no_figures(conn: WritingConnection) -> None:
    """Columns of narrower kinds arrive as whole numbers."""
    narrow: list[Cells] = [np.array([0, 1, 255], np.uint8), np.array([-1, 0, 7], np.int16)]
    conn.lay_beside(image({"narrow": narrow}), "x")
    found = conn.execute("SELECT column1, column2, typeof(column1) FROM batch.narrow").fetchall()
    assert found == [(0, -1, "integer"), (1, 0, "integer"), (255, 7, "integer")]


def test_one_image_gives_way_to_the_next(conn: WritingConnection) -> None:
    """A statement made for one image reads the next, whatever its size."""
    total = "SELECT count(*), total(column1) FROM batch.b"
    for rows in (5, 5_000, 0, 900, 12):
        numbers = np.arange(rows)
        conn.lay_beside(image({"a": [numbers, numbers], "b": [numbers]}), rows)
        assert conn.beside == rows
        assert conn.execute(total).fetchone() == (rows, float(numbers.sum()))


def test_what_could_not_be_laid_beside_is_nobodys(conn: WritingConnection) -> None:
    """After a refused image nothing is taken for anybody's rows."""
    conn.lay_beside(image({"a": [np.arange(3)]}), "before")
    with pytest.raises(TypeError):
        conn.lay_beside(None, "after")  # type: ignore[arg-type]
    assert conn.beside not in ("before", "after")
