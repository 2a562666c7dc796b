"""What a trained network looks at: attention, positions, filters, maps over the image, and tests of what those maps say.

Arrays in, arrays out: `report.inspection` and `report.plots` draw them. The package is also the function
`fittingroom.explain(run, images)`, because Python has one place for a package and a function of the same name.
"""

import sys
import types
from typing import Any


class _CallablePackage(types.ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        from fittingroom.api.explain import explain

        return explain(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
