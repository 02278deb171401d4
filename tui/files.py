"""Files that appear whole or not at all, and are not written over unasked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InvalidOption


@contextmanager
def refusals(target: Path) -> Iterator[None]:
    """Turn what the file system refuses inside into ``InvalidOption`` that names ``target``."""
    try:
        yield
    except OSError as error:
        raise InvalidOption(
            f"cannot write {target}: {error.strerror or error}",
            field="output",
            remedy="name a place you may write to",
        ) from error


def refuse_to_replace(target: Path, *, folder: bool, force: bool) -> None:
    """Raise ``InvalidOption`` if something is at ``target`` that must not be written over."""
    if not os.path.lexists(target):
        return
    if target.is_dir() is not folder:
        kind = "a folder" if target.is_dir() else "not a folder"
        raise InvalidOption(f"{target} is {kind}", field="output", remedy="name another place")
    if not force:
        raise InvalidOption(
            f"{target} is there already", field="output", remedy="--force writes over it"
        )


def typed_place(text: str) -> Path:
    """The path that somebody typed. Raises ``InvalidOption`` for none."""
    if not text.strip():
        raise InvalidOption("no place yet", field="output", remedy="type a path")
    return Path(text.strip()).expanduser()


def refuse_to_be_there(target: Path, *, folder: bool) -> None:
    """Raise ``InvalidOption`` if something is at ``target``, where nothing is ever written over."""
    try:
        refuse_to_replace(target, folder=folder, force=False)
    except InvalidOption as error:
        remedy = "name another place"
        raise InvalidOption(error.message, field="output", remedy=remedy) from None


def write_atomically(target: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``target``, then put it in its place."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    with refusals(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def write_folder_atomically(target: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary folder beside ``target``, then put it in its place.

    A folder that is there moves aside first and goes when the new one stands.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    aside = target.with_name(f".{target.name}.{os.getpid()}.old")
    with refusals(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        try:
            write(temporary)
            if target.exists():
                target.rename(aside)
            temporary.rename(target)
        finally:
            if aside.exists() and not target.exists():
                aside.rename(target)
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)
