"""What history files become: tests of `stream.replay`."""
