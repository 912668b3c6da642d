"""Who may ask, by which name and how often.

Not here: tokens as rows (``store.planning``).
"""
