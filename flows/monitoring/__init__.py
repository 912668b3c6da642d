"""The state of the installation: measurements, health checks, status, traces.

Not here: starting or stopping servers (``flows.cli``).
"""
