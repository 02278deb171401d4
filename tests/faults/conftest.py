"""Victims for the tests of faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """Bears processes; all of them are gone after the test."""
    nursery = Nursery()
    with nursery.generation():
        yield nursery
