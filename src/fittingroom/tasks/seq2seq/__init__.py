"""Sequences to sequences."""
