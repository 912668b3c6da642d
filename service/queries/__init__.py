"""Questions to a publication, one function each; pages and API ask the same ones.

Public: ``documents`` (forecasts), ``history``, ``freshness``, ``track``, ``ledger``, ``arrivals``.
"""
