"""Lets ``python -m harborsync`` work."""

from __future__ import annotations

import sys

from harborsync.cli import main

if __name__ == "__main__":
    sys.exit(main())
