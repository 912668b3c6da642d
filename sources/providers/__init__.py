"""Providers: statistics (customs, Comtrade, Census, Comext, rates, risk) and official documents.

Here: what is specific to one provider; documents found wait for a person to decide. Not here: HTTP
itself (``sources.http``) or checks that apply to all (``sources.checks``).
"""
