"""Statistics providers: customs files, Comtrade, Census, Comext, exchange rates, risk index.

Here: what one provider does differently. Not here: HTTP itself (``sources.http``) or checks that
hold for all (``sources.checks``).
"""
