"""How Kafka is reached: the cluster and who we are to it, whether it answers and lets us in, and clients of it."""
