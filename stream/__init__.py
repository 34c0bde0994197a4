"""Live Valid Tracking Rate for marketplace sellers, on Kafka."""
