"""Publications and planning in memory, metrics and health.

Not here: rendering.
"""
