"""The wheel in an environment with nothing else, for `make wheel`, which sets the path of uv."""

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = os.environ.get("VLLM_EKS_UV", "")


@dataclass(frozen=True)
class Built:
    """The output of `uv build`."""

    wheel: Path
    sdist: Path

    def wheel_files(self) -> Mapping[str, bytes]:
        """Return the files of the wheel, by name."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def sdist_members(self) -> Mapping[str, tarfile.TarInfo]:
        """Return the files of the sdist, by name below its own folder."""
        with tarfile.open(self.sdist) as archive:
            return {member.name.partition("/")[2]: member for member in archive.getmembers()}


def _uv(*arguments: str) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True, cwd=ROOT)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not UV:
        pytest.skip("make wheel runs these: it names uv")
    folder = tmp_path_factory.mktemp("dist")
    _uv("build", "--out-dir", str(folder))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def site(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's folder, with the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("site") / "venv"
    _uv("venv", str(folder), "--python", "3.11")
    _uv("pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python"), str(built.wheel))
    return folder


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Run the installed command in an empty folder, for a user without credentials."""

    def command(*arguments: str, cwd: Path = tmp_path, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_EC2_METADATA_DISABLED": "true",
            "HF_HOME": str(tmp_path / "hf"),
            "KUBECONFIG": str(tmp_path / "no-kubeconfig"),
            **environment,
        }
        line = [str(site / "bin" / "vllm-eks"), *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd, env=variables)

    return command
