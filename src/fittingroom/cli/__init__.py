"""The command line: parse, make one call, print. Heavy imports are inside functions, so that `--help` answers at once."""
