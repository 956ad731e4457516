"""Wrong questions of `vllm-eks size`: all errors at once, exactly, and before anything is computed."""

from pathlib import Path

import pytest

from tests.support.plan_command import ROOT, Ask, runner_of

MODEL = "Qwen/Qwen3-8B"
USERS = ("--concurrent-users", "5", "--workload", "chat")
RATE = ("--requests-per-second", "2", "--input", "500", "--output", "100")
LIMIT = "is not a time at a percentile: write it like 1s@p90 or 40ms@p50"


@pytest.fixture
def size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command, and fail if an answer is computed."""

    def refuse(question: object) -> None:
        pytest.fail("the answer was computed")

    monkeypatch.setattr("vllm_eks.cli.size_answer.size", refuse)
    return runner_of("size", capsys, monkeypatch)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (USERS[2:], "how much load? Use --requests-per-second or --concurrent-users"),
        (USERS[:2], "how long are requests? Use --input and --output, or --workload, or --dataset"),
        ((*USERS, "--requests-per-second", "2"), "use either --requests-per-second or --concurrent-users, not both"),
        ((*USERS, "--input", "9", "--output", "9"), "use either --input and --output or --workload, not both"),
        ((*RATE, "--think-time", "5s"), "--think-time is for --concurrent-users: requests arrive without waiting"),
        ((*USERS, "--think-time", "5"), "--think-time '5' is not a time: write it like 500ms, 10s or 2min"),
        ((*USERS, "--think-time", "-5s"), "--think-time '-5s' is not a time: write it like 500ms, 10s or 2min"),
        ((*USERS, "--think-time", "2h"), "--think-time '2h' is not a time: write it like 500ms, 10s or 2min"),
        ((*USERS, "--think-time", "2000min"), "--think-time '2000min' must be at most 86400s"),
        (
            ("--requests-per-second", "fast", *USERS[2:]),
            "--requests-per-second 'fast' is not a number: write one such as 4 or 0.5",
        ),
        (
            ("--requests-per-second", "1e-9", *USERS[2:]),
            "--requests-per-second 1e-9 must be from 0.000001 to 100,000 requests a second",
        ),
        (("--concurrent-users", "0", *USERS[2:]), "--concurrent-users 0 must be from 1 to 1,000,000 users"),
        (("--concurrent-users", "-3", *USERS[2:]), "--concurrent-users -3 must be from 1 to 1,000,000 users"),
        (("--concurrent-users", "1000001", *USERS[2:]), "--concurrent-users 1000001 must be from 1 to 1,000,000 users"),
        (
            ("--concurrent-users", "many", *USERS[2:]),
            "--concurrent-users 'many' is not a whole number: write one such as 200",
        ),
        ((*USERS[:2], "--input", "500"), "--input needs --output: a request has both"),
        ((*USERS[:2], "--output", "500"), "--output needs --input: a request has both"),
        (
            (*RATE[:3], "1k", *RATE[4:]),
            "--input '1k' is not a number of tokens: write 500, or mean:500 if lengths vary",
        ),
        (
            (*RATE[:5], "median:9"),
            "--output 'median:9' is not a number of tokens: write 500, or mean:500 if lengths vary",
        ),
        ((*RATE[:5], "0"), "--output 0 must be between 1 and 100,000,000 tokens"),
        (
            (*USERS[:2], "--workload", "talk"),
            "--workload 'talk' is not one of chat, rag, code, summary, agent",
        ),
        (
            (*USERS[:2], "--workload", "RAG"),
            "--workload 'RAG' is not one of chat, rag, code, summary, agent; did you mean rag?",
        ),
        ((*USERS, "--shared-prefix", "-1"), "--shared-prefix -1 must be 0 or more tokens"),
        (
            (*USERS, "--shared-prefix", "10%"),
            "--shared-prefix '10%' is not a whole number of tokens: write one such as 300",
        ),
        (
            (*RATE, "--shared-prefix", "500"),
            "--shared-prefix 500 is not below the input of 500 tokens: the shared prefix is part of each input",
        ),
        ((*USERS, "--ttft", "fast"), f"--ttft 'fast' {LIMIT}"),
        ((*USERS, "--itl", "40@p50"), "--itl '40@p50' has no unit: write 40ms or 40s before the percentile"),
        ((*USERS, "--e2e", "20s"), "--e2e '20s' has no percentile: write 20s@p90, or another of p1 to p99"),
        ((*USERS, "--e2e", "1h@p90"), "--e2e '1h@p90': the unit 'h' is not one of ms, s, min"),
        (
            (*USERS, "--ttft", "1s@p99.9"),
            "--ttft '1s@p99.9': the percentile p99.9 is not a whole number from p1 to p99: the replay has too few "
            "requests for more",
        ),
        ((*USERS, "--ttft", "0ms@p90"), "--ttft '0ms@p90' must be from 0.01ms to 86400s"),
        (
            (*RATE[:5], "1", "--itl", "9ms@p50"),
            "--itl '9ms@p50': answers of one token have no time between tokens: remove it",
        ),
        ((*USERS, "--headroom", "much"), "--headroom 'much' is not a percentage: write it like 20%"),
        ((*USERS, "--headroom", "-5%"), "--headroom -5% must be from 0% to 900%"),
        ((*USERS, "--headroom", "nan"), "--headroom nan must be from 0% to 900%"),
        ((*USERS, "--family", "g6x"), "--family 'g6x' is not in the catalogue; did you mean g6 or gr6 or g6f?"),
        (
            (*USERS, "--family", "g6e.xlarge"),
            "--family 'g6e.xlarge' is an instance type, not a family: use g6e",
        ),
        ((*USERS, "--region", "mars"), "--region: 'mars' is not a region: use one such as us-west-2"),
        ((*USERS, "--region", "us-west-2a"), "--region: 'us-west-2a' is a zone, not a region: use us-west-2"),
        ((*USERS, "--max-nodes", "0"), "--max-nodes 0 must be from 1 to 1,000,000"),
        ((*USERS, "--max-nodes", "two"), "--max-nodes 'two' is not a whole number: write one such as 2"),
        ((*USERS, "--plot", "load.png"), "--plot load.png: the file is written as SVG: use a name that ends in .svg"),
        ((*USERS, "--plot", "no/x.svg"), "--plot no/x.svg: there is no folder no: create it first"),
        (
            ("--concurrent-users", "5", "--input", "40000", "--output", "2000"),
            "Qwen/Qwen3-8B takes at most 40,960 tokens, and the longest request has 42,000 input and output tokens: "
            "use shorter requests",
        ),
        (
            ("--concurrent-users", "5", "--input", "mean:20000", "--output", "10"),
            "Qwen/Qwen3-8B takes at most 40,960 tokens, and the longest request has 86,462 input and output tokens: "
            "use lower mean lengths",
        ),
        ((*USERS, "--vllm-version", "x"), "vLLM version 'x' must look like \"0.21.0\""),
        ((*USERS, "--vllm-version", "0.5.0"), "vLLM 0.5.0 is not supported: use 0.8 to 0.33"),
        (
            (*USERS, "--write", "dev"),
            "--write dev: Pulumi.dev.yaml is for us-west-2, and the prices are those of us-east-1: add --region "
            "us-west-2",
        ),
        (
            (*USERS, "--write", "dev", "--region", "us-west-2", "--vllm-version", "0.21.0"),
            "--vllm-version 0.21.0 is not that of a new model in a stack, 0.27.0: leave it out, or leave out --write",
        ),
        (
            (*USERS, "--write", "nowhere"),
            "there is no Pulumi.nowhere.yaml in {root}: the stacks here are dev, prod",
        ),
        (
            (*USERS, "--write", "../dev"),
            "--write '../dev' is not a valid stack name: use letters, digits, -, _ and ., at most 100",
        ),
    ],
)
def test_a_wrong_question_is_one_line_with_the_fix(size: Ask, args: tuple[str, ...], error: str) -> None:
    answer = size(MODEL, *args)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.rstrip("\n") == f"vllm-eks: {error.format(root=ROOT)}"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none.jsonl", None, ": No such file or directory"),
        ("folder", b"", " is a folder, not a file"),
        ("empty.jsonl", b"\n \n", ' is empty: write one {"input": 900, "output": 200} a line'),
        ("a.csv", b"900,200\n", ': line 1 is not JSON: write {"input": 900, "output": 200}'),
        ("list.jsonl", b"[900, 200]\n", ': line 1 is not an object: write {"input": 900, "output": 200}'),
        (
            "keys.jsonl",
            b'{"input": 9, "output": 2}\n{"inputs": 9, "output": 2}\n',
            ": line 2 has no 'input': name the number of tokens 'input', not 'inputs'",
        ),
        (
            "float.jsonl",
            b'{"input": 9e2, "output": 2}\n',
            ": line 1: input 9e2 is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            "latin.jsonl",
            b'{"input": 9, "output": 2, "text": "\xe9t\xe9"}\n',
            ", line 1: the byte 0xe9 is not UTF-8 text: save the file as UTF-8",
        ),
        ("utf16.jsonl", b"\xff\xfe{\0}\0", " is UTF-16 text: save it as UTF-8"),
    ],
)
def test_a_wrong_dataset_is_named_with_the_line(
    size: Ask, tmp_path: Path, name: str, content: bytes | None, error: str
) -> None:
    file = tmp_path / name
    if name == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    answer = size(MODEL, "--requests-per-second", "2", "--dataset", str(file))

    assert (answer.returncode, answer.stderr) == (2, f"vllm-eks: --dataset {file}{error}\n")


def test_all_wrong_options_are_reported_at_once(size: Ask) -> None:
    answer = size(
        "Qwen/Qwen3-8",
        *("--requests-per-second", "fast", "--workload", "talk", "--ttft", "1s", "--headroom", "much"),
        *("--family", "g6x", "--region", "mars", "--max-nodes", "0", "--vllm-version", "x", "--plot", "x.png"),
        *("--write", "../dev"),
    )

    assert answer.returncode == 2
    assert answer.stderr.splitlines()[0] == "vllm-eks: 11 errors:"
    starts = [line.strip().split()[0] for line in answer.stderr.splitlines()[1:]]
    assert starts == [
        *("model", "--requests-per-second", "--workload", "--ttft", "--headroom", "--region:", "--family"),
        *("--max-nodes", "vLLM", "--plot", "--write"),
    ]


def test_an_unknown_model_is_named_with_similar_ones(size: Ask) -> None:
    assert size("Qwen/Qwen3-8", *USERS).stderr.startswith("vllm-eks: model 'Qwen/Qwen3-8' is not locked; did you mean ")


def test_a_plot_is_not_written_over_a_folder_or_without_permission(size: Ask, tmp_path: Path) -> None:
    (tmp_path / "x.svg").mkdir()

    assert size(MODEL, *USERS, "--plot", str(tmp_path / "x.svg")).stderr == (
        f"vllm-eks: --plot {tmp_path}/x.svg is a folder: name a file in it\n"
    )
