"""Realistic, labelled errors for good documentation."""

__version__ = "0.1.0"
