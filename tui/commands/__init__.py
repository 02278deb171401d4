"""The verbs of ``stepdeck``, one or a small family a module; ``tui.cli`` loads what is called."""
