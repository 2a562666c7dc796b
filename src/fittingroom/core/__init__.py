"""What every room needs: errors, registry, config, randomness, atomic files. Only torch and the standard library."""
