"""The one way out: HTTP calls with retries, a cache, clear errors, and keys that are never written.

Not here: what any provider's answer means.
"""
