"""Building blocks of responses: tags, problem documents, templates, methods.

Not here: access and limits (``service.security``).
"""
