"""The parts of the worker, each on its own and without a broker.

The parts of Faust that are overridden are held against the version that is pinned. Every trap of the batch transport
has a test here, and where Faust's own behaviour is the trap, a test that shows it: when that one fails, a new Faust has
mended it, and the override may go. The app and its consumer are real; what a broker would say is told by a small fake,
so this says nothing of Kafka.
"""
