"""Python packages of the image that write into their own folder: a copy of them that may be written to.

FlashInfer takes locks and makes links inside its package of compiled kernels, also where FLASHINFER_CUBIN_DIR names
another folder (docs/explanation/pod-filesystem.md), and our root is read-only. The image's Python is asked whether it
has the package: an empty folder of that name, such as a mount would make, breaks FlashInfer's import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

WRITERS = ("flashinfer_cubin",)
ASK = "import importlib.util, sys; found = importlib.util.find_spec(sys.argv[1]); print(found and found.origin or '')"
ASK_SECONDS = 60
LARGE = ".cubin"
"""Files of this ending are linked, not copied: hundreds of megabytes that nobody writes to."""


def writable_copies(environ: Mapping[str, str], *, names: Sequence[str] = WRITERS) -> dict[str, str]:
    """Copy those that cannot be written to; return what the environment needs for them to be found first.

    Raises:
        OSError: A copy could not be made.
    """
    target = Path(environ["CACHES_FOLDER"]) / "python"
    # Anew at each start: a tag may name another image by now, and FlashInfer refuses a copy of another version.
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
    """Return where the image's Python has the package, without importing it."""
    try:
        asked = subprocess.run(
            ["python3", "-c", ASK, name], env=dict(environ), capture_output=True, text=True, timeout=ASK_SECONDS
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
