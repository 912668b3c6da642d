"""The planners' pages: rendered here, readable without a script, no cookie.

Public: ``routes`` (``page_router``, ``error_page``, ``warm``). Private: the rest, one file a page.
"""
