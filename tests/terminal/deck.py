"""A terminal for the tests: ``stepdeck`` in a pty, its bytes on a pyte screen, keys and a mouse."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyte

# How long something may take to come on a machine that has other things to do; never waited out.
PATIENCE_SECONDS: Final = 60.0
COMMAND: Final = Path(sysconfig.get_path("scripts")) / "stepdeck"

KEYS: Final[Mapping[str, str]] = {
    "enter": "\r",
    # As kitty's protocol has it: a lone ESC with another key at its heels is alt and that key.
    "esc": "\x1b[27u",
    "lone esc": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pgup": "\x1b[5~",
    "pgdn": "\x1b[6~",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f10": "\x1b[21~",
    "space": " ",
    "backspace": "\x7f",
    "ctrl+c": "\x03",
    "ctrl+g": "\x07",
    "ctrl+l": "\x0c",
    "ctrl+p": "\x10",
    "ctrl+u": "\x15",
}

# A frame stands between these; what comes before its end is not looked at, as no person sees it.
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
_ASKS_FOR_FRAMES: Final = b"\x1b[?2026$p"
_FRAMES_ARE_KNOWN: Final = b"\x1b[?2026;2$y"

# pyte 0.8.2 takes ``<`` and ``=`` after CSI for the sequence's last byte and prints what follows:
# ``CSI < u`` (kitty's keyboard flags taken back) would leave a ``u`` on the screen.
_UNKNOWN_TO_PYTE: Final = re.compile(rb"\x1b\[[<=>][0-9;:]*[ -/]*[@-~]")
_PERHAPS_UNKNOWN: Final = re.compile(rb"\x1b(?:\[(?:[<=>][0-9;:]*[ -/]*)?)?\Z")
# A session leader makes the terminal its own, as a shell's terminal window does, then becomes the
# command: hanging up reaches it. (Popen's preexec_fn is unsafe beside threads.)
_IN_TERMINAL: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class NotSeen(AssertionError):
    """What was waited for did not come; carries the screen as it stands."""


class Deck:
    """The real command in a terminal of ``columns`` x ``rows``; a context manager that ends it.

    ``raw`` is every byte the command has written so far. ``text`` is the screen as a person sees
    it, ``waiting`` reads it again whenever bytes have come.
    """

    def __init__(
        self,
        *words: object,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.raw = bytearray()
        self._seen = 0
        self._shown = 0
        self._lock = threading.Condition()
        self._ended = False
        self.settings_restored = False
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self._set_size(*size)
        # What the shell had set before is what a command has to leave behind.
        self._attributes = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", _IN_TERMINAL, str(COMMAND), *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            # A runner's own idea of a window's size would outweigh this window's.
            env={
                **_environment(),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                **(env or {}),
            },
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    # -- life -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_SECONDS)
        self._drain()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal's window; what still runs in it is sent SIGHUP."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def leaves(self) -> int:
        """Wait until the command has ended by itself; its exit status, all its bytes in ``raw``."""
        try:
            status = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise NotSeen(f"the command did not end\n{self.text}") from None
        self._drain()
        return status

    def _drain(self) -> None:
        """Read what a command that has ended left behind: its last bytes, the tty's settings."""
        if self._slave >= 0:
            self.settings_restored = termios.tcgetattr(self._slave) == self._attributes
            # This handle on the other side is what kept the reader from an end.
            os.close(self._slave)
            self._slave = -1
        self._reader.join(PATIENCE_SECONDS)

    def _read(self) -> None:
        asked = False
        while True:
            try:
                some = os.read(self._master, 65536)
            except OSError:
                some = b""
            with self._lock:
                self.raw += some
                self._ended = not some
                if not asked and _ASKS_FOR_FRAMES in self.raw:
                    asked = True
                    os.write(self._master, _FRAMES_ARE_KNOWN)
                self._lock.notify_all()
            if not some:
                return

    def signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self.process.send_signal(number)

    # -- looking --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Put the bytes that have come on the screen, up to the end of the last whole frame."""
        begins, ends = self.raw.rfind(FRAME_BEGINS), self.raw.rfind(FRAME_ENDS)
        until = begins if begins > ends and not self._ended else len(self.raw)
        # A sequence cut in two by a read waits for its rest.
        if cut := _PERHAPS_UNKNOWN.search(self.raw, max(self._shown, until - 32), until):
            until = cut.start()
        if until > self._shown:
            some = bytes(self.raw[self._shown : until])
            self._shown = until
            self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", some))

    @property
    def lines(self) -> list[str]:
        """The screen's lines as last looked at, without trailing blanks."""
        with self._lock:
            self._look()
            self._seen = len(self.raw)
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def waiting(self, holds: Callable[[str], object], what: str) -> str:
        """Wait until ``holds`` of the screen's text; that text. Raises ``NotSeen``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        ended = False
        while not holds(text := self.text):
            if ended:
                raise NotSeen(f"waiting for {what}: the command ended\n{text}")
            if time.monotonic() > deadline:
                raise NotSeen(f"waiting for {what}: it did not come\n{text}")
            if self.process.poll() is not None:
                self._drain()
                ended = True
            with self._lock:
                if len(self.raw) == self._seen:
                    # Bytes wake it; the time is for predicates that look at more than the screen.
                    self._lock.wait(0.2)
        return text

    def sees(self, *texts: str) -> str:
        """Wait until all of the texts are on the screen."""
        return self.waiting(lambda shown: all(text in shown for text in texts), repr(texts))

    def loses(self, *texts: str) -> str:
        """Wait until none of the texts is on the screen."""
        return self.waiting(
            lambda shown: not any(text in shown for text in texts), f"no more {texts!r}"
        )

    def finds(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern is on the screen; the match."""
        compiled = re.compile(pattern)
        found = compiled.search(self.waiting(compiled.search, f"/{pattern}/"))
        assert found is not None
        return found

    def writes(self, some: bytes, since: int) -> None:
        """Wait until the bytes are among those written after the first ``since`` of them.

        Nothing is put on the screen meanwhile: this is for measuring.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._lock:
            while self.raw.find(some, since) < 0:
                if time.monotonic() > deadline or self._ended:
                    raise NotSeen(f"{some!r} was not written")
                self._lock.wait(1.0)

    def line_of(self, text: str) -> str:
        """The first line that has the text in it, once there is one."""
        shown = self.sees(text)
        return next(line for line in shown.splitlines() if text in line)

    def _place(self, text: str) -> tuple[int, int]:
        """The cell where the text begins, column and row from 0."""
        for row, line in enumerate(self.sees(text).splitlines()):
            at = line.find(text)
            if at >= 0:
                # A wide character is one of the line and two of the screen.
                cells = self._screen.buffer[row]
                column = seen = 0
                while seen < at:
                    seen += len(cells[column].data)
                    column += 1
                return column, row
        raise NotSeen(f"{text!r} has gone")

    @property
    def modes(self) -> dict[int, bool]:
        """The terminal's private modes as the bytes so far leave them: 1049 the alternate screen,
        25 the cursor, 1000 to 1006 the mouse, 1004 the focus, 2004 bracketed paste."""
        found = re.finditer(rb"\x1b\[\?([0-9;]+)([hl])", self.raw)
        return {int(mode): switch[2] == b"h" for switch in found for mode in switch[1].split(b";")}

    @property
    def restored(self) -> bool:
        """Whether a command that has ended left the terminal as it found it."""
        modes = self.modes
        pushed, popped = len(re.findall(rb"\x1b\[>[0-9]+u", self.raw)), self.raw.count(b"\x1b[<u")
        return (
            self.settings_restored
            and modes[25]
            and modes[7]
            and not any(modes[mode] for mode in (1049, 1000, 1003, 1004, 1006, 1015, 2004))
            and pushed == popped
        )

    @property
    def afterwards(self) -> str:
        """What the command wrote once it had left the alternate screen, in words."""
        _, left, after = self.raw.rpartition(b"\x1b[?1049l")
        return re.sub(r"\x1b\[[0-9;?<>]*[A-Za-z]", "", after.decode()) if left else ""

    # -- doing ----------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys: names of ``KEYS``, or single characters."""
        for key in keys:
            assert key in KEYS or len(key) == 1, f"no key {key!r}"
            self._write(KEYS.get(key, key).encode())

    def type(self, text: str) -> None:
        """Type the text."""
        self._write(text.encode())

    def click(self, text: str, *, after: int = 0) -> None:
        """Click the cell that is ``after`` cells right of where the text begins."""
        column, row = self._place(text)
        at = f"{column + after + 1};{row + 1}"
        self._write(f"\x1b[<0;{at}M\x1b[<0;{at}m".encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size, as a person dragging its edge does."""
        with self._lock:
            self._look()
            self._screen.resize(rows, columns)
        self._set_size(columns, rows)
        self.signal(signal.SIGWINCH)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _write(self, some: bytes) -> None:
        os.write(self._master, some)


def _environment() -> dict[str, str]:
    """The test's environment without the size of the window that it runs in."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
