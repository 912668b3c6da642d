"""The languages of pages: which one, its sentences (gettext), numbers and dates (CLDR).

Not here: the English sentences, which are where they are shown; the API is in English alone.
"""
