"""Inputs that nobody should send, through the worker's own path: never a crash, and nothing lost unexplained."""
