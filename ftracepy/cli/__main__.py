"""`python -m ftracepy.cli` is the command."""

import sys

from ftracepy.cli.main import main

sys.exit(main())
