"""`vllm-eks catalog refresh` as a command: credentials, regions, options, a file that cannot be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from vllm_eks.catalog.catalog_file import replace_text
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instances import CATALOGUE

pytestmark = pytest.mark.emulated_aws

ROOT = Path(__file__).parents[3]


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No account and no network: every call ends at a closed local port."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return monkeypatch


def command(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends in the command, with this test's environment."""
    line = [sys.executable, "-c", program, "catalog", "refresh", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)


def test_without_credentials_the_command_exits_2_with_the_reason(no_aws: pytest.MonkeyPatch) -> None:
    before = CATALOGUE.read_bytes()
    found = command("from vllm_eks.cli.main import main; main()")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "vllm-eks: no usable AWS credentials: Unable to locate credentials. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY. The catalogue is unchanged.\n"
    )
    assert CATALOGUE.read_bytes() == before


@pytest.mark.parametrize(
    ("region", "text"),
    [
        (
            "us-eest-1",
            "cannot reach AWS in region 'us-eest-1'; did you mean us-west-1 or us-east-1 or us-west-2? "
            "The catalogue is unchanged.",
        ),
        (
            "us-west-2",
            "cannot reach AWS in region 'us-west-2': Could not connect to the endpoint URL: "
            '"http://127.0.0.1:9/". The catalogue is unchanged.',
        ),
    ],
)
def test_a_region_that_cannot_be_reached_is_reported(
    aws: None, no_aws: pytest.MonkeyPatch, file: Path, region: str, text: str
) -> None:
    from vllm_eks.cli.catalog import run_refresh

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        no_aws.setenv(name, "testing")
    before = file.read_bytes()
    with pytest.raises(WrongQuestion) as caught:
        run_refresh([region], "us-east-1", file=file)
    assert str(caught.value) == text
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((), "['us-west-2'] us-west-2"),
        (("--price-region", "us-east-1"), "['us-west-2'] us-east-1"),
        (
            ("--region", "eu-west-1", "--region", "us-east-2", "--price-region", "eu-west-1"),
            "['eu-west-1', 'us-east-2'] eu-west-1",
        ),
    ],
)
def test_the_command_s_options_and_that_boto3_waits_for_it(arguments: tuple[str, ...], asked: str) -> None:
    found = command(
        "import sys\nfrom vllm_eks.cli.main import main\nassert 'boto3' not in sys.modules\n"
        "from vllm_eks.cli import catalog\ncatalog.run_refresh = print\nmain()",
        *arguments,
    )
    assert (found.returncode, found.stderr, found.stdout) == (0, "", asked + "\n")


def test_a_file_that_cannot_be_written_is_unchanged(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WrongQuestion) as caught:
        replace_text(file, "{}")
    assert str(caught.value) == f"cannot write {file}: No space left on device. The catalogue is unchanged."
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["instances.json"]
