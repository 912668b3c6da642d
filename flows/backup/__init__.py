"""Backup, restore and pruning of an installation.

Not here: the archive format (``store.archive``).
"""
