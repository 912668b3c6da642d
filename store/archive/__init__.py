"""Backups: one verified archive file, consistent copies of databases, and the swap into place.

Here: files and databases as bytes. Not here: which installation is backed up (``flows.backup``).
"""
