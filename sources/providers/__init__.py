"""Statistics providers: customs files, Comtrade, Census, Comext, exchange rates, risk index.

Here: what is specific to one provider. Not here: HTTP itself (``sources.http``) or checks that
apply to all (``sources.checks``).
"""
