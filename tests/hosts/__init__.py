"""Hosts that are not ours: what they add, they add by the public doors alone."""
