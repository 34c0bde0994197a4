"""Soak: a worker at a steady rate for long, watched from outside for what grows.

``python -m tests.soak --help`` tells how to run it for an hour; ``test_soak.py`` is the short run that CI makes.
"""
