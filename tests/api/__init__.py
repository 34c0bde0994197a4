"""The HTTP API without a broker: real servers over real engines, and the group's assignment written by hand."""
