"""`vllm-eks catalog refresh`: what it asks, says and writes. How AWS is answered for stands in aws_answers.py."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws_answers import TODAY, few_types, refresh, rows_of
from vllm_eks.catalog.catalog_file import catalogue_text, read_catalogue, replace_text
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instances import CATALOGUE

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def moto_session() -> Iterator[Any]:
    """One session for all: each new one reads the model of EC2's whole API again."""
    import boto3
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, few_types(), mock_aws():
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        yield boto3.Session()


@pytest.fixture
def aws(moto_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session", lambda: moto_session)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The catalogue, without the rows that no test here looks at."""
    head, rows = read_catalogue(CATALOGUE)
    keep = ("g5.xlarge", "g5.48xlarge", "g6f.large", "p5e.48xlarge")
    path = tmp_path / "instances.json"
    path.write_text(catalogue_text(head, [row for row in rows if row.type in keep]))
    return path


def test_a_refresh_tells_what_it_added_changed_and_kept(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(file)
    assert capsys.readouterr().out.splitlines() == [
        "added p3dn.24xlarge: 8 x V100, 29.12 GiB usable each (estimate), 31.212 USD/h in us-east-1; not known: "
        "gpu_memory_bandwidth_gbytes_per_second, gpudirect_rdma, gpu_interconnect, gpu_interconnect_gbytes_per_second",
        "changed g5.48xlarge: USD/h in us-east-1 16.288 -> 17.5",
        "changed p5e.48xlarge: zones in us-west-2 usw2-az3 -> none",
        "changed g6f.large: USD/h in us-east-1 0.202 -> none",
        "kept, not listed in us-west-2: p5e.48xlarge",
        "left out g5g.xlarge: the nodes here are x86_64",
        "1 added, 3 changed, 1 as before",
        f"prices in us-east-1: on demand, Linux, {TODAY}; none for p5e.48xlarge, g6f.large",
        f"wrote {file}",
    ]


def test_a_refresh_is_written_with_its_date_and_regions(aws: None, file: Path) -> None:
    before = rows_of(file)
    refresh(file, price_region="eu-west-1")
    head, after = read_catalogue(file)
    assert (head["prices"]["eu-west-1"], head["prices"]["us-east-1"]) == (TODAY, "2026-07-20")
    assert head["refreshed"] == {"us-west-2": TODAY}
    assert [row.type for row in after] == [*before, "p3dn.24xlarge"]
    found = rows_of(file)
    known = before["g5.48xlarge"].usd_per_hour_by_region
    assert found["g5.48xlarge"].usd_per_hour_by_region == {**known, "eu-west-1": 17.5}
    assert list(found["g5.48xlarge"].usd_per_hour_by_region) == ["eu-west-1", "us-east-1", "us-east-2", "us-west-2"]
    assert (found["p3dn.24xlarge"].network_gbps, found["p3dn.24xlarge"].nvme_gb) == (100, 1800)
    assert list(found["g5.xlarge"].zone_ids["us-west-2"]) == ["usw2-az1", "usw2-az2", "usw2-az3"]
    assert found["p5e.48xlarge"].zone_ids["us-east-2"] == before["p5e.48xlarge"].zone_ids["us-east-2"]


def test_a_second_refresh_with_the_same_answers_changes_no_byte(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(file)
    first = file.read_bytes()
    capsys.readouterr()
    refresh(file)
    assert file.read_bytes() == first
    assert capsys.readouterr().out.endswith(f"no changes: {file} is up to date\n")
    refresh(file, today="2026-12-01")
    assert file.read_bytes() == first.replace(TODAY.encode(), b"2026-12-01")
    refresh(file, regions=("us-east-1",), today="2026-12-02")
    assert read_catalogue(file)[0]["refreshed"] == {"us-east-1": "2026-12-02", "us-west-2": "2026-12-01"}


def test_measured_memory_is_never_overwritten(aws: None, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, rows = read_catalogue(file)
    odd = [replace(row, gpu_memory_gib=19.99, gpu_memory_source="measured") for row in rows]
    file.write_text(catalogue_text(head, odd))
    refresh(file)
    found = rows_of(file)
    assert {found[row.type].gpu_memory_gib for row in rows} == {19.99}
    assert {found[row.type].gpu_memory_source for row in rows} == {"measured"}
    assert (
        "look at g5.xlarge: EC2 states 22.35 GiB a GPU, the catalogue calls 19.99 GiB usable (measured): measure it"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (
            {"failing": {"pricing": ("get_products", "AccessDeniedException")}},
            "these AWS credentials may not call pricing:GetProducts",
        ),
        (
            {"failing": {"pricing": ("get_products", "InternalErrorException")}},
            "AWS answered pricing:GetProducts in us-east-1 with InternalErrorException: Text of AWS",
        ),
        ({"listed": [], "price_region": "us-west-1"}, "AWS lists no on-demand Linux prices for region 'us-west-1'"),
    ],
)
def test_where_aws_gives_no_prices_they_stay_and_the_rest_is_refreshed(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str], answers: dict[str, Any], why: str
) -> None:
    head, _ = read_catalogue(file)
    refresh(file, **answers)
    found = rows_of(file)
    assert found["g5.48xlarge"].usd_per_hour_by_region["us-east-1"] == 16.288
    assert found["p3dn.24xlarge"].usd_per_hour_by_region == {}
    assert read_catalogue(file)[0]["prices"] == head["prices"]
    region = answers.get("price_region", "us-east-1")
    assert f"prices in {region}: as before, of {head['prices'][region]}: {why}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            {"failing": {"ec2": ("describe_instance_types", "UnauthorizedOperation")}},
            "these AWS credentials may not call ec2:DescribeInstanceTypes in us-west-2: allow that action in their "
            "IAM policy. The catalogue is unchanged.",
        ),
        (
            {"failing": {"ec2": ("describe_instance_types", "AuthFailure")}},
            "AWS refused the credentials in us-west-2 (AuthFailure): they are wrong or expired, or the region is not "
            "enabled for the account. The catalogue is unchanged.",
        ),
        (
            {"listed": [], "price_region": "us-eest-1"},
            "AWS lists no on-demand Linux prices for region 'us-eest-1'; did you mean us-west-1 or us-east-1 or "
            "us-west-2? The catalogue is unchanged.",
        ),
        ({"regions": ("us west",)}, "'us west' is not the name of an AWS region. The catalogue is unchanged."),
    ],
)
def test_a_call_that_fails_is_one_sentence_and_writes_nothing(
    aws: None, file: Path, answers: dict[str, Any], text: str
) -> None:
    before = file.read_bytes()
    with pytest.raises(WrongQuestion) as caught:
        refresh(file, **answers)
    assert str(caught.value) == text
    assert file.read_bytes() == before


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No account, no way out: every call ends at a closed port of this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return monkeypatch


def command(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends in the command; the environment is this test's."""
    line = [sys.executable, "-c", program, "catalog", "refresh", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)


def test_without_credentials_the_command_says_so_and_ends_with_status_2(no_aws: pytest.MonkeyPatch) -> None:
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
def test_a_region_that_cannot_be_reached_is_told(
    aws: None, no_aws: pytest.MonkeyPatch, file: Path, region: str, text: str
) -> None:
    from vllm_eks.cli.catalog import run_refresh

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


def test_a_file_that_cannot_be_written_stays_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    before = file.read_bytes()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WrongQuestion) as caught:
        replace_text(file, "{}")
    assert str(caught.value) == f"cannot write {file}: No space left on device. The catalogue is unchanged."
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["instances.json"]
