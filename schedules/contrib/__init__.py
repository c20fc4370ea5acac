"""Hosts that come with the app."""
