"""Shim for older tooling; the metadata stands in pyproject.toml."""

from setuptools import setup

setup()
