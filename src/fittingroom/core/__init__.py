"""Shared by every package: errors, registry, config, randomness, atomic files. Imports no other package of fittingroom."""
