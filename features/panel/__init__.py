"""The evidence panel: every month of every destination, estimated from published figures.

Here: statements, the sparse solver, full partner tables.
Not here: features computed from the panel (``features.families``).
"""
