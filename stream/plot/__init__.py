"""One scope's VTR over time from history, as a picture and as a table. Pictures need the extra ``plot``."""

from stream.plot.series import Sample, Series, read_series

__all__ = ["Sample", "Series", "read_series"]
