"""What every Helm release of the program says alike."""

RELEASE_HISTORY = 5
"""Revisions of a release that Helm keeps, each a Secret of up to 100 KB; without a limit it keeps all."""
