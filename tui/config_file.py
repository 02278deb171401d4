"""Changing ``config.toml``: one value at a time, whatever else stands in the file left as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.errors import InvalidOption
from tui.files import write_atomically
from tui.settings import Settings, load_settings

_TABLE: Final = re.compile(r"^\s*\[")


def toml_value(value: object) -> str:
    """A value as TOML writes it. Texts are basic strings, which escape as JSON's do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def with_value(text: str, key: str, value: object | None, table: str | None = None) -> str:
    """The file's text with another value for a key, or without the key for None.

    Only the key's own line changes; a new one goes where its commented default stands, else to the
    end of its table. Raises ``InvalidOption`` where the file is written so that this would change
    anything else (a value over several lines, say): a person has to.
    """
    wanted = _parsed(text)
    held = wanted.setdefault(table, {}) if table else wanted
    if not isinstance(held, dict):
        raise _by_hand(key)
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value if isinstance(value, (bool, int, float)) else str(value)
    if table and not held:
        wanted.pop(table)
    lines = text.splitlines()
    begin, end = _bounds(lines, table)
    if begin is None:
        if value is None:
            return text
        lines += ["", f"[{table}]"]
        begin = end = len(lines)
    name = re.compile(rf"^\s*(?:{re.escape(key)}|\"{re.escape(key)}\"|'{re.escape(key)}')\s*=")
    at = next((n for n in range(begin, end) if name.match(lines[n])), None)
    shown = f'"{key}"' if table else key
    line = f"{shown} = {toml_value(value)}"
    if value is None:
        if at is not None:
            del lines[at]
    elif at is not None:
        lines[at] = line
    else:
        default = re.compile(rf"^\s*#\s*\"?{re.escape(key)}\"?\s*=")
        after = next((n + 1 for n in range(begin, end) if default.match(lines[n])), None)
        if after is None:
            after = end
            while after > begin and not lines[after - 1].strip():
                after -= 1
        lines.insert(after, line)
    made = "\n".join(lines) + "\n"
    found = _parsed(made, key)
    if table and not found.get(table):
        found.pop(table, None)
    if found != wanted:
        raise _by_hand(key)
    return made


def _bounds(lines: list[str], table: str | None) -> tuple[int | None, int]:
    """The lines of a table (None: those before the first), without its heading."""
    begin = 0
    if table is not None:
        heading = re.compile(rf"^\s*\[\s*{re.escape(table)}\s*\]")
        found = next((n for n, line in enumerate(lines) if heading.match(line)), None)
        if found is None:
            return None, 0
        begin = found + 1
    end = next((n for n in range(begin, len(lines)) if _TABLE.match(lines[n])), len(lines))
    return begin, end


def _parsed(text: str, key: str | None = None) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if key is not None:
            raise _by_hand(key) from error
        raise InvalidOption(
            f"config.toml is not TOML: {error}", field="config.toml", remedy="mend it by hand"
        ) from error


def _by_hand(key: str) -> InvalidOption:
    return InvalidOption(
        f"{key} cannot be changed here: the file is not written line by line",
        field=key,
        remedy="edit config.toml by hand; `stepdeck config path` says where it is",
    )


def change(
    path: Path, key: str, value: object | None, env: Mapping[str, str], table: str | None = None
) -> Settings:
    """Write another value into the file, whole or not at all; the settings then in force.

    Raises ``InvalidOption`` as ``load_settings`` does, with the file as it was.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOption(f"cannot read {path}: {error}", field="config.toml") from error
    made = with_value(text, key, value, table)

    def write(part: Path) -> None:
        part.write_text(made, encoding="utf-8")
        # What a command line would refuse is refused here, before it takes the file's place.
        load_settings(env, part)

    write_atomically(path, write)
    return load_settings(env, path)
