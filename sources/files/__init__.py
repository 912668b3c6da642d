"""Files from users: panels, trees, covariates, controls, scenarios, commodity lists.

Here: reading them strictly and naming every bad line. Not here: what is computed from them.
"""
