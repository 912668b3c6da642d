"""What planners read, made from published tables only; nothing here trains or fetches.

The service: ``app`` (``create_app``), ``live`` (the publication in memory), ``knowledge`` (what it
is handed), ``queries`` (questions), ``api`` and ``web`` (their two renderings).

The report:

Public: ``report`` (``ReportInput``, ``write_report``), ``tables`` (``forecast_table``),
``why`` (sentences on a forecast and its change).
Private: ``inputs``, ``view``, ``backtest_view`` (what is said), ``fan``, ``markers``, ``charts``,
``canvas`` (what is drawn), ``names``, ``numbers``.
"""
