"""Data sets: found, verified, split, augmented. Knows no model."""
