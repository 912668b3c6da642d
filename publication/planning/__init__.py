"""Needs, rules and alerts beside the forecast, and the Atom feed.

Not here: their rows (``store.planning``).
"""
