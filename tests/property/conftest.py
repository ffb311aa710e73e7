"""Settings of all property tests."""

from hypothesis import settings

# A machine that is busy with something else is no finding.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
