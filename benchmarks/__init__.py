"""Measurements that are too long for a test: each a small program that says how it is called."""
