"""The version that rows of the ledger carry."""

from typing import Final

__version__: Final = "0.1.0"
