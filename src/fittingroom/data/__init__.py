"""Data sets: find, verify, split, augment and batch them. Independent of any model."""
