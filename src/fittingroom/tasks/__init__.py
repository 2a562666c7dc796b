"""Tasks: image classification and sequence-to-sequence. Only this package knows what a kind of data needs."""
