"""Training, backtest, promotion and prediction of the magnets' model.

Not here: publishing (``flows.publishing``).
"""
