"""What the workshop runs by hand; not part of the app."""
