"""`python -m fittingroom`."""

import sys

from fittingroom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
