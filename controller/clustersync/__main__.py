"""`python -m clustersync`: the bare controller, configured by the environment alone. `clustersync run` ends here."""

import sys

# structlog imports rich wherever it is installed, for tracebacks that we never render. None makes that import fail, which it
# provides for (The Python Language Reference, 5.3.1: a None in sys.modules raises ModuleNotFoundError).
sys.modules["rich"] = None  # type: ignore[assignment]

from clustersync.app import main  # noqa: E402 - after the line above

if __name__ == "__main__":
    sys.exit(main())
