"""Bringing facts into the store: fetched or handed in, checked, written or quarantined.

Not here: how a provider is read (``sources``).
"""
