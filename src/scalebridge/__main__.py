"""`python -m scalebridge`."""

import sys

from scalebridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
