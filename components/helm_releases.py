"""Shared settings of all Helm releases."""

RELEASE_HISTORY = 5
"""Revisions that Helm keeps per release, each a Secret of up to 100 KB. Without a limit it keeps all."""
