"""The worker as its users run it: processes of their own, on a real broker."""
