"""The publication in memory, and what hangs on it: other commodities, metrics, health.

Not here: rendering.
"""
