"""What planners read, made from published tables only; nothing here trains or fetches.

Public: ``report`` (``ReportInput``, ``write_report``), ``tables`` (``forecast_table``),
``why`` (sentences on a forecast and its change).
Private: ``inputs``, ``view``, ``backtest_view`` (what is said), ``fan``, ``markers``, ``charts``,
``canvas`` (what is drawn), ``names``, ``numbers``.
"""
