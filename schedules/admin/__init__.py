"""The app's admin pages."""
