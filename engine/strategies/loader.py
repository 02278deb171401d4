"""Users' own strategy files: ``FILE.py:Class``."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType

from engine.errors import StrategyLoadError, UnknownStrategy
from engine.strategies.base import Strategy

_importing = threading.RLock()  # sys.path and sys.modules are everybody's


def load_class(path: Path, name: str) -> tuple[type[Strategy], str]:
    """The class ``name`` of the file, and the SHA-256 of the bytes it was compiled from.

    The file is executed afresh at every call; while it is, its own folder comes first on the import
    path, as when Python runs it. Raises ``UnknownStrategy`` for a file that is not there,
    ``StrategyLoadError`` with file and line for one that does not import (whatever it raises, an
    exit included), and for a class that is missing, abstract, or no ``Strategy``.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UnknownStrategy(
            f"cannot read the strategy file {path}: {error.strerror}",
            field="strategy",
            remedy="name a file as FILE.py:Class",
        ) from error
    digest = hashlib.sha256(source).hexdigest()
    module = _execute(path.resolve(), source, digest)
    found = getattr(module, name, None)
    if found is None:
        raise StrategyLoadError(
            f"{path} has no class {name!r}", field="strategy", remedy=_classes(module, name)
        )
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        raise StrategyLoadError(
            f"{path}:{_line(found)}: {name} is not a Strategy",
            field="strategy",
            remedy=f"write `class {name}(Strategy):` with `from engine import Strategy`",
        )
    if inspect.isabstract(found):
        raise StrategyLoadError(
            f"{path}:{_line(found)}: {name} has no decide method",
            field="strategy",
            remedy="add `def decide(self, obs):`, or `def weights(self, panel):`",
        )
    return found, digest


def syntax_problem(path: Path) -> str | None:
    """Why the file does not compile, with its line; None where it does. Nothing of it is run."""
    try:
        compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"{type(error).__name__}{line}: {getattr(error, 'msg', error)}"
    except OSError as error:
        return error.strerror or "it cannot be read"
    return None


def _execute(path: Path, source: bytes, digest: str) -> ModuleType:
    module = ModuleType(f"_stepdeck_strategy_{path.stem}_{digest[:12]}")
    module.__file__ = str(path)
    folder = str(path.parent)
    with _importing:
        sys.modules[module.__name__] = module  # dataclasses and pickle look the module up
        sys.path.insert(0, folder)
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102  # the user's own
        except BaseException as error:
            del sys.modules[module.__name__]
            raise StrategyLoadError(
                f"{_where(path, error)}: {type(error).__name__} on import: {error}",
                field="strategy",
                remedy="correct the file",
            ) from error
        finally:
            if folder in sys.path:
                sys.path.remove(folder)
    return module


def _where(path: Path, error: BaseException) -> str:
    """``file:line`` of what failed: the innermost line of the strategy's own file."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}:{frames[-1].lineno}" if frames else str(path)


def _line(found: object) -> int:
    try:
        return inspect.getsourcelines(found)[1]  # type: ignore[arg-type]
    except (TypeError, OSError):
        return 1


def _classes(module: ModuleType, name: str) -> str:
    names = [
        found.__name__
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, Strategy) and found is not Strategy
    ]
    if not names:
        return "it defines no Strategy"
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}"
