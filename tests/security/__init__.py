"""Kafka with TLS and logins: settings and files without a broker, and everything that talks to Kafka with one."""
