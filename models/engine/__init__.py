"""The engine for full panels: experts, what they have in common to err in, and honest bands.

``standpoint`` says what is known at one origin, ``lessons`` draws rows from past origins,
``learner`` fits what the experts miss, ``trial`` replays the last year to set weights and bands,
and ``forecast`` puts them together. Nothing in it knows policies, files or the store.
"""
