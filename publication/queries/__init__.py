"""Queries of a publication, one function each, shared by pages and API.

Not here: rendering.
"""
