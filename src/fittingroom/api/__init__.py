"""The Python API: `import fittingroom as fr`. The command line calls it."""

from fittingroom.core.machine import respect_quota

respect_quota()  # before torch is imported, if the user has not imported it
