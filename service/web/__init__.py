"""The planners' pages: rendered on the server, readable without a script.

Here: routes, forms and page content. Not here: charts (``service.charts``).
"""
