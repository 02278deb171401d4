"""The pure core: bars and decisions in, fills, cash and equity out.

Nothing here reads a clock, a file, a database or a global random generator. The same panel, rules
and decisions give the same bits on every repeat, stepped one at a time or advanced in batches.
"""
