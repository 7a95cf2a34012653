"""Metrics: one formula a file."""
