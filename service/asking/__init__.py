"""What if: questions that take seconds, answered one at a time beside the process that serves.

Public: ``desk`` (``Desk``), ``told`` (what is asked and answered). Private: ``worker``.
"""
