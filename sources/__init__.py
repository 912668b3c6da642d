"""Rows from the outside world, one provider a file.

Public: ``base`` (``SourceInfo``, ``Source``), ``bundled`` (``load_bundled``), ``calendar``
(``ReleaseCalendar``), ``published``, ``rankings``, ``policy_events``, ``tariffs``. The other
modules serve them: ``csvtable`` reads strictly, ``periods``, ``destinations``, ``precision`` and
``dating`` say what a cell means.
"""
