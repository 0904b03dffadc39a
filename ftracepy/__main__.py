"""`python -m ftracepy` is the command."""

import sys

from ftracepy.cli.main import main

sys.exit(main())
