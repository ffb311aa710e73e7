"""`python -m clustersync`: the bare controller, configured by the environment alone. `clustersync run` ends here."""

import sys

from clustersync.app import main

if __name__ == "__main__":
    sys.exit(main())
