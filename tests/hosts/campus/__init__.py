"""A school with two messages and a gate of its own."""
