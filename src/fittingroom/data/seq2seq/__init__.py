"""Pairs of sequences: read, split, encoded, batched."""
