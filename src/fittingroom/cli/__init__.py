"""The command line: parse, one call, print. Heavy imports stand inside functions, so `--help` answers at once."""
