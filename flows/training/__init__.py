"""Training, backtest, promotion and prediction: of magnets and of partner tables.

Not here: publishing (``flows.publishing``).
"""
