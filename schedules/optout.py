"""Opting out of e-mails."""
