"""`python -m ftracepy.cli` is the command; scripts/ftracepy runs this file by its path."""

import sys

from ftracepy.cli.main import main

sys.exit(main())
