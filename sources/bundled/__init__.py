"""The bundled tables, and single figures typed in by a person.

Here: one reader a table, and how dates, periods and precision are read from their wording.
Not here: providers that are asked over HTTP.
"""
