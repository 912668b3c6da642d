"""The API under ``/api/v1``: JSON and CSV of the same questions as the pages.

Public: ``routes`` (``api_router``). Private: ``models`` (what the documentation says), ``replies``
(tags, paging, CSV), ``forecasts``, ``explain``,
``scenarios``, ``tables``, ``probes``.
"""
