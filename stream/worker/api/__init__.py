"""The HTTP API of the workers, read-only: metrics, lists and defect reports as JSON, from any worker for all."""
