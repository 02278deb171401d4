"""What the app remembers between sessions: the last settings of the form. One small JSON file.

Nothing depends on it: a file that cannot be read counts as empty, one that cannot be written is
logged and forgotten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import platformdirs

log = logging.getLogger(__name__)
FILE: Final = "form.json"


def state_file() -> Path:
    """Where the form's last settings are kept: the platform's folder for state."""
    return platformdirs.user_state_path("stepdeck") / FILE


def recall(path: Path | None = None) -> dict[str, str]:
    """The last settings by field name; empty where there are none that can be read."""
    try:
        found = json.loads((path or state_file()).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def remember(values: Mapping[str, str], path: Path | None = None) -> None:
    """Keep the settings for the next time."""
    target = path or state_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(dict(values), indent=1, ensure_ascii=False), "utf-8")
    except OSError:
        log.warning("the form's settings could not be kept in %s", target, exc_info=True)
