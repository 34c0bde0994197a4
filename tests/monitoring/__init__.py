"""The metrics: their names, and what of the sellers they show."""
