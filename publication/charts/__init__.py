"""Charts as SVG and PNG: fans and the track record.

Not here: which numbers are shown (``publication.queries``).
"""
