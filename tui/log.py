"""The log file: what no person needs to see at once. It rotates, five files of 5 MB."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final

LOGGER: Final = logging.getLogger("stepdeck")
_BYTES: Final = 5_000_000
_FILES: Final = 5


class _LogFile(RotatingFileHandler):
    """Makes its folder when the first line comes; a process with nothing to say leaves no file."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=_BYTES, backupCount=_FILES - 1, encoding="utf-8", delay=True
        )
        self.setFormatter(
            logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
        )

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


def start_log(path: Path) -> None:
    """Send warnings and worse of this process to the log file at ``path``; once is enough."""
    root = logging.getLogger()
    if not any(isinstance(handler, _LogFile) for handler in root.handlers):
        # A log that cannot be written must not cover the screen with its own tracebacks.
        logging.raiseExceptions = False
        root.addHandler(_LogFile(path))


def log_unexpected(
    path: Path, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> bool:
    """Write the traceback of an error that nobody foresaw; False if the log cannot be written."""
    start_log(path)
    LOGGER.critical("unexpected %s", kind.__name__, exc_info=(kind, error, trace))
    return os.access(path, os.W_OK)
