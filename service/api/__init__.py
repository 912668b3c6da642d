"""The API under ``/api/v1``: JSON and CSV of the same questions as the pages.

Here: routes and response models. Not here: the questions themselves (``service.queries``).
"""
