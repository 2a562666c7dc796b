"""The Python API: `import fittingroom as fr`. The command line calls it."""
