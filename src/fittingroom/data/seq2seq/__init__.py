"""Pairs of sequences: read, split, encode and batch them."""
