"""Changes of the tables after 0.1.0, one file a revision.

To change a table:

1. Change it in ``store/schema/database_tables.py``, for new homes, and count ``REVISION`` there on.
2. Write ``r0002_what_it_does.py`` with the same change of an old home by ``alembic.op``, as in the
   file before; ``home upgrade --dry-run`` shows the first line of its docstring. It imports no
   table of ours, which later revisions change, and runs in one transaction on both databases.
3. Run ``tests/flows/test_upgrade.py`` (PostgreSQL too): it opens homes that 0.1.0 made, and fails
   where their tables then differ from those of a new home. A new release adds its home.

Not here: how they are run (``store/upgrade.py``) and the tables of a new home (``schema``).
"""
