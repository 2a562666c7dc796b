"""Image data sets: found, verified, split, augmented, batched."""
