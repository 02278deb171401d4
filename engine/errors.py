"""Every error the engine raises, in one tree.

::

    StepdeckError
    ├── InputError                    refused before anything was accepted (exit status 2)
    │   ├── InvalidOption             option, setting or field of a request
    │   ├── NotAvailable              an option of the contract that this version does not have
    │   ├── UnknownStrategy           no built-in and no file of that name
    │   ├── StrategyLoadError         a strategy file that cannot be imported
    │   ├── UnknownParameter          a parameter the strategy does not have
    │   ├── InvalidParameter          a parameter value of the wrong type or range
    │   ├── UnknownSource             no such bar source
    │   ├── UnknownSymbol             a symbol the source does not have
    │   ├── InvalidExpression         a breakpoint's condition that means nothing; has the column
    │   ├── InvalidFile               a bar or tape file that cannot be read as one
    │   └── InvalidTape               a tape line that is no decision
    ├── MarketDataError
    │   ├── MarketDataUnavailable     missing package, credentials, rows; carries the remedy
    │   ├── MarketDataInvalid         a bar that breaks a rule: symbol, stamp, field
    │   └── LoadCancelled             the caller asked the loading to stop
    ├── StrategyFault
    │   ├── StrategyError             a strategy raised or answered rubbish
    │   ├── LookaheadError            something asked for a bar after the present one
    │   └── StrategyDiverged          a warmed strategy answered other than the log says
    ├── RunError
    │   ├── RunNotFound, AmbiguousRun
    │   ├── IllegalTransition         a (state, trigger) pair that the table does not list
    │   ├── RunNotActive, RunNotResumable, RunIsActive
    │   ├── TooManyActiveRuns         a cap; the count, the limit and what frees a slot
    │   ├── StepNotActive, StepAlreadyFinalized
    │   ├── DecisionDeadlineExceeded  the step was held before its decision came
    │   ├── StepRewound               a step of a future that a rewind has discarded
    │   ├── BarsChanged, StrategyChanged
    │   └── LeaseLost                 another process owns the run now: stop, write nothing
    └── LedgerError
        ├── NotALedger                a file that is no SQLite database, or somebody else's
        ├── LedgerTooNew              written by a newer program
        ├── LedgerTooOld              an older one, to be upgraded before it is only read
        ├── LedgerReadOnly, LedgerMissing
        ├── LedgerBusy                another process held the write lock too long; try again
        ├── LedgerWriteFailed         the disk refused a write (full, I/O error); try again
        ├── LedgerRefused             a row that breaks a rule of the schema
        └── LedgerCorrupt             SQLite or the digest chain says so

``code`` is stable: ledgers, JSON output and scripts rely on it. ``field`` names what was wrong,
``remedy`` what would be right. Nothing below the command line exits the process.
"""

from __future__ import annotations

from typing import ClassVar


class StepdeckError(Exception):
    """Root of the tree.

    ``str(error)`` is one line for a person: what was wrong and, after the remedy is set, what
    would be right.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, field: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        line = " ".join(self.message.split())
        return f"{line}; {self.remedy}" if self.remedy else line


class InputError(StepdeckError):
    """Input refused before anything was accepted."""

    code = "invalid_input"


class InvalidOption(InputError):
    code = "invalid_option"


class NotAvailable(InputError):
    code = "not_available"


class UnknownStrategy(InputError):
    code = "unknown_strategy"


class StrategyLoadError(InputError):
    code = "strategy_load_error"


class UnknownParameter(InputError):
    code = "unknown_parameter"


class InvalidParameter(InputError):
    code = "invalid_parameter"


class UnknownSource(InputError):
    code = "unknown_source"


class UnknownSymbol(InputError):
    code = "unknown_symbol"


class InvalidExpression(InputError):
    """``text`` is what was written, ``column`` (from 1) where it goes wrong."""

    code = "invalid_expression"

    def __init__(
        self,
        message: str,
        *,
        text: str,
        column: int,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(f"at column {column}: {message}", field=field, remedy=remedy)
        self.problem = message
        self.text = text
        self.column = column


class InvalidFile(InputError):
    code = "invalid_file"


class InvalidTape(InputError):
    code = "invalid_tape"


class MarketDataError(StepdeckError):
    """Bars that could not be had or not be trusted."""

    code = "market_data_error"


class MarketDataUnavailable(MarketDataError):
    code = "market_data_unavailable"


class MarketDataInvalid(MarketDataError):
    code = "market_data_invalid"


class LoadCancelled(MarketDataError):
    code = "load_cancelled"


class StrategyFault(StepdeckError):
    """A strategy's own failure; it ends its own run and nobody else's.

    ``where`` is ``file:line`` of the strategy's innermost frame, where one is known.
    """

    code = "strategy_fault"

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, field=field, remedy=remedy)
        self.where = where


class StrategyError(StrategyFault):
    code = "strategy_error"


class LookaheadError(StrategyFault):
    code = "lookahead"


class StrategyDiverged(StrategyFault):
    code = "strategy_diverged"


class RunError(StepdeckError):
    """An operation on a run that its state does not allow."""

    code = "run_error"


class RunNotFound(RunError):
    code = "run_not_found"


class AmbiguousRun(RunError):
    code = "ambiguous_run"


class IllegalTransition(RunError):
    code = "illegal_transition"


class RunNotActive(RunError):
    code = "run_not_active"


class RunNotResumable(RunError):
    code = "run_not_resumable"


class RunIsActive(RunError):
    code = "run_is_active"


class TooManyActiveRuns(RunError):
    code = "too_many_active_runs"


class StepNotActive(RunError):
    code = "step_not_active"


class StepAlreadyFinalized(RunError):
    code = "step_already_finalized"


class DecisionDeadlineExceeded(RunError):
    code = "decision_deadline_exceeded"


class StepRewound(RunError):
    code = "step_rewound"


class BarsChanged(RunError):
    code = "bars_changed"


class StrategyChanged(RunError):
    code = "strategy_changed"


class LeaseLost(RunError):
    code = "lease_lost"


class LedgerError(StepdeckError):
    """The ledger file could not be used; nothing in it was touched."""

    code = "ledger_error"


class NotALedger(LedgerError):
    code = "not_a_ledger"


class LedgerTooNew(LedgerError):
    code = "ledger_too_new"


class LedgerTooOld(LedgerError):
    code = "ledger_too_old"


class LedgerReadOnly(LedgerError):
    code = "ledger_read_only"


class LedgerMissing(LedgerError):
    code = "ledger_missing"


class LedgerReplaced(LedgerError):
    """Another file stands at the ledger's place since it was opened."""

    code = "ledger_replaced"


class LedgerBusy(LedgerError):
    code = "ledger_busy"


class LedgerWriteFailed(LedgerError):
    code = "ledger_write_failed"


class LedgerRefused(LedgerError):
    code = "ledger_refused"


class LedgerCorrupt(LedgerError):
    code = "ledger_corrupt"


def error_of(code: str) -> type[StepdeckError]:
    """The class whose ``code`` this is, or its nearest kin that needs a message and no more.

    ``RunError`` for a code that a later version made.
    """
    found: list[type[StepdeckError]] = [StepdeckError]
    for kind in found:
        if kind.code == code:
            # What is wrong with an expression is nothing without the expression.
            return InputError if kind is InvalidExpression else kind
        found += kind.__subclasses__()
    return RunError
