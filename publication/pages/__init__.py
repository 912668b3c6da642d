"""The pages of the site.

Here: what stands on each page, and the templates that show it. Not here: the numbers
(``publication.queries``).
"""
