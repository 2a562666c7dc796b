"""The Python API: `import fittingroom as fr`. The command line is a thin layer over it."""
