"""Rows from outside, stored as versions: written once, never edited, read as of a moment.

Here: observations, policies, tariffs, quarantine and reviews. Not here: what was published.
"""
