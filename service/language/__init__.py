"""The languages of pages and reports: which one, its sentences (gettext), numbers and dates (CLDR).

No sentence lives here besides the catalogues; the API speaks English alone.
"""
