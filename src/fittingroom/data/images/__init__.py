"""Image data sets: find, verify, split, augment and batch them."""
