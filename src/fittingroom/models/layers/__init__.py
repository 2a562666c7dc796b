"""The parts that several architectures share."""
