"""One file a revision, oldest first; a revision is never edited once released."""
