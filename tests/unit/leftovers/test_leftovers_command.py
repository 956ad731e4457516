"""`vllm-eks leftovers` on the command line, without an account."""

import subprocess
import sys
from pathlib import Path

import pytest

from vllm_eks.cli.main import main
from vllm_eks.errors import WrongQuestion

pytestmark = pytest.mark.emulated_aws

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("stack", "reported"),
    [
        ("prod", "there is no Pulumi.prod.yaml in {folder}: the stacks here are dev"),
        ("a.b", "EKS does not accept the cluster name 'vllm-eks-a.b', so this stack cannot exist"),
    ],
)
def test_a_wrong_stack_is_reported(folder: Path, stack: str, reported: str) -> None:
    from vllm_eks.cli.leftovers import run_leftovers

    (folder / f"Pulumi.{'dev' if stack == 'prod' else stack}.yaml").write_text("config: {aws:region: us-west-2}")
    with pytest.raises(WrongQuestion) as caught:
        run_leftovers(folder, stack)
    assert str(caught.value) == reported.format(folder=folder)


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No account and no network: every call ends at a closed local port."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    return monkeypatch


def command(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends in the command, with this test's environment."""
    line = [sys.executable, "-c", program, "leftovers", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    ("profile", "reported"),
    [
        (
            "",
            "no usable AWS credentials: Unable to locate credentials. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY.",
        ),
        ("no-such-profile", "no usable AWS credentials: The config profile (no-such-profile) could not be found."),
    ],
)
def test_without_credentials_the_command_ends_with_status_2(
    no_aws: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str], profile: str, reported: str
) -> None:
    (folder / "Pulumi.dev.yaml").write_text(f"config: {{aws:region: us-west-2, aws:profile: '{profile}'}}")
    no_aws.setattr("sys.argv", ["vllm-eks", "leftovers", "--stack", "dev", "--folder", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out, shown.err) == (2, "", f"vllm-eks: {reported}\n")


def test_the_command_s_options_and_that_boto3_waits_for_it() -> None:
    program = (
        "import sys\nfrom vllm_eks.cli.main import main\nassert 'boto3' not in sys.modules\n"
        "from vllm_eks.cli import leftovers\n"
        "leftovers.run_leftovers = lambda *a, **k: print(*a, k) or 1\nmain()"
    )
    found = command(program, "--stack", "dev", "--folder", "docs", "--json")
    assert (found.returncode, found.stderr, found.stdout) == (1, "", "docs dev {'json_wanted': True}\n")
    assert command(program).returncode == 2


def test_the_tag_is_the_one_that_the_program_sets() -> None:
    from config.load import STACK_TAG as WRITTEN
    from vllm_eks.leftovers.owner import STACK_TAG

    assert STACK_TAG == WRITTEN


@pytest.mark.parametrize(
    ("existing", "name"),
    [
        ("shared", "shared"),
        ("{name: shared, securityGroupIds: [sg-0123456789abcdef0]}", "shared"),
        ("{securityGroupIds: []}", None),
        ("[shared]", None),
        ("5", None),
        ("''", None),
    ],
)
def test_the_existing_cluster_is_read_in_both_forms(folder: Path, existing: str, name: str | None) -> None:
    from vllm_eks.cli.leftovers import owner_of
    from vllm_eks.stack_files.read import read_stack_file

    text = f"config: {{cluster: {{existing: {existing}}}, network: {{existing: {{vpcId: 5}}}}}}"
    (folder / "Pulumi.dev.yaml").write_text(text)

    owner = owner_of(read_stack_file(folder, "dev"))

    assert (owner.existing_cluster, owner.existing_vpc) == (name, None)
