"""What a trained network looks at: attention, positions, filters, maps over the image, and whether those maps mean anything.

The package is also the function `fittingroom.explain(run, images)`: Python gives a package and a function of one name one place.
"""

import sys
import types
from typing import Any


class _CallablePackage(types.ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from fittingroom.api.explain import explain

        return explain(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
