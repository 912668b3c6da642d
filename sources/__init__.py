"""Rows from the outside world, one provider a file.

Public: ``base`` (``SourceInfo``, ``Source``), ``bundled`` (``load_bundled``), ``calendar``
(``ReleaseCalendar``), ``published``, ``rankings``, ``policy_events``, ``tariffs``,
``panel_file`` (``read_panel``), ``covariates_file`` (``read_covariates``), ``tree_file`` (sums of a
panel); ``live`` (``live_source``: providers asked over HTTP), ``span`` (the months to ask for),
``http`` (the one way out). The other modules serve them: ``csvtable`` reads strictly,
``long_file`` millions of rows, ``periods``, ``month_text``, ``destinations``, ``precision`` and
``dating`` say what a cell means.
"""
