"""Who decides (a strategy, a person, a tape), and the host that keeps the active runs moving."""
