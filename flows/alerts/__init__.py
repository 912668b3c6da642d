"""Alerts: what the rules find of a new publication, sent to those who asked.

Not here: the rules themselves (``store.planning``).
"""
