"""Sellers of extreme sizes on the pure engine: one with half of all shipments, and very many with one each."""
