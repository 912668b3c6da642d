"""The planners' pages: rendered on the server, readable without a script, no cookie.

Here: routes, forms and page content. Not here: charts (``service.charts``).
"""
