"""The app in a browser: the same app, a process for each page, through textual-serve."""
