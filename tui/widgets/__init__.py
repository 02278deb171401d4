"""The deck's own widgets, drawn line by line: a live table, charts and figures."""
