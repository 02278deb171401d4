"""The ledger: the only place that touches SQLite."""
