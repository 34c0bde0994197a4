"""Chaos on three real brokers: workers and brokers die, freeze, come and go, and the numbers stay exact.

``python -m tests.chaos --help`` tells how to run it for long; ``test_chaos.py`` is the short run that CI makes.
"""
