"""What the screens show, worked out without a terminal: pure functions from records to cells."""
