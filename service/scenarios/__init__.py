"""What-if: scenarios queue for one worker process beside the service.

Not here: how a scenario is computed (``models.policy.scenario``).
"""
