"""What all tests of the deck share: a terminal of all colours, whatever the one they run in has."""

from __future__ import annotations

import pytest
from textual import constants


@pytest.fixture(autouse=True)
def true_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headless apps would take the colours of the terminal that the tests run in."""
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
