"""Packages that write to their own folder, on a read-only root filesystem."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_eks.pods import packages

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A site-packages folder with the package, like flashinfer_cubin 0.6.8.post1."""
    package = tmp_path / "site" / "flashinfer_cubin"
    (package / "cubins" / "31e75d" / "include").mkdir(parents=True)
    (package / "__init__.py").write_text("from pathlib import Path\nCUBINS = Path(__file__).parent / 'cubins'\n")
    (package / "cubins" / "31e75d" / "gemm.cubin").write_text("kernel")
    (package / "cubins" / "31e75d" / "include" / "MetaInfo.h").write_text("header")
    return tmp_path / "site"


def environ(tmp_path: Path, site: Path) -> dict[str, str]:
    return {"PATH": PATH, "PYTHONPATH": str(site), "CACHES_FOLDER": str(tmp_path / "caches")}


def test_a_read_only_package_is_copied_and_found_first(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environ(tmp_path, image)
    monkeypatch.setattr(packages.os, "access", lambda *_: False)  # root can write anywhere
    more = packages.writable_copies(given)
    assert more == {"PYTHONPATH": f"{tmp_path}/caches/python:{image}"}
    code = "import flashinfer_cubin as f; (f.CUBINS / '31e75d' / 'new.lock').touch(); print(f.CUBINS)"
    said = subprocess.run(["python3", "-c", code], env=given | more, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"{tmp_path}/caches/python/flashinfer_cubin/cubins"
    copy = tmp_path / "caches" / "python" / "flashinfer_cubin" / "cubins" / "31e75d"
    assert (copy / "gemm.cubin").readlink() == image / "flashinfer_cubin" / "cubins" / "31e75d" / "gemm.cubin"
    assert (copy / "include" / "MetaInfo.h").read_text() == "header"
    # Another image with the same tag: nothing of the previous copy remains.
    packages.writable_copies(given)
    assert not (copy / "new.lock").exists()


def test_a_missing_or_writable_package_is_not_copied(tmp_path: Path, image: Path) -> None:
    assert packages.writable_copies(environ(tmp_path, image)) == {}
    assert packages.writable_copies(environ(tmp_path, tmp_path / "nothing")) == {}
    assert not (tmp_path / "caches").exists()
