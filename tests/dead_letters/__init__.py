"""Dead letters read back, written to files, repaired and judged."""
