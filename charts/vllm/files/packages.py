"""Makes writable copies of Python packages that write into their own folder.

FlashInfer creates locks and links inside its package of compiled kernels, even when FLASHINFER_CUBIN_DIR is another
folder (docs/explanation/pod-filesystem.md), and the pod's root filesystem is read-only. The copy is made only when the
image has the package, because an empty folder with its name breaks FlashInfer's import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

WRITERS = ("flashinfer_cubin",)
FIND_PACKAGE = (
    "import importlib.util, sys; found = importlib.util.find_spec(sys.argv[1]); print(found and found.origin or '')"
)
FIND_SECONDS = 60
LARGE = ".cubin"
"""Files with this suffix are linked and not copied: hundreds of megabytes that are never written."""


def writable_copies(environ: Mapping[str, str], *, names: Sequence[str] = WRITERS) -> dict[str, str]:
    """Copy the read-only packages, and return the environment variables that put the copies first on the path.

    Raises:
        OSError: A copy failed.
    """
    target = Path(environ["CACHES_FOLDER"]) / "python"
    # Copied at each start, because a tag may now refer to another image, and FlashInfer refuses other versions.
    shutil.rmtree(target, ignore_errors=True)
    copied = False
    for name in names:
        source = _folder_of(name, environ)
        if source is None or os.access(source, os.W_OK):
            continue
        shutil.copytree(source, target / name, copy_function=_copy_or_link)
        for folder, _, _ in os.walk(target / name):
            os.chmod(folder, 0o755)  # noqa: PTH101
        copied = True
    if not copied:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(target), environ.get("PYTHONPATH", ""))))}


def _folder_of(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the package's folder in the image, without importing it."""
    try:
        asked = subprocess.run(
            ["python3", "-c", FIND_PACKAGE, name],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=FIND_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    origin = asked.stdout.strip()
    return Path(origin).parent if asked.returncode == 0 and origin else None


def _copy_or_link(source: str, target: str) -> None:
    if source.endswith(LARGE):
        os.symlink(source, target)  # noqa: PTH211
    else:
        shutil.copyfile(source, target)
