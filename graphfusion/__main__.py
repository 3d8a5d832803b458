"""The command `graphfusion`, as `python -m graphfusion`."""

import sys

from graphfusion.command_line import main

if __name__ == "__main__":
    sys.exit(main())
