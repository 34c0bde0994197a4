"""What a worker tells Prometheus."""
