"""Realistic, labelled errors for good documentation."""

__version__ = "0.2.0"
