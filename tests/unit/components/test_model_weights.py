"""Weights in S3: the bucket, its permissions, and the Job that copies."""

import json
from typing import Any

import pulumi
import pytest

from components.weights.model_weights import ModelWeights, ModelWeightsArgs, s3_weights
from components.weights.weights_bucket import WeightsBucket, WeightsBucketArgs, weights_bucket_name
from tests.support.nested import replaced
from vllm_eks.specs.stack import StackSpec
from vllm_eks.specs.weights import WeightsSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ARGS = ModelWeightsArgs(
    stack=StackSpec(name="vllm-dev", region="us-west-2", tags={"team": "a"}),
    weights=WeightsSpec(model="org/model", revision=COMMIT, s3_uri=None, copy_seconds=3600),
    bucket=None,
    cluster_name="cluster",
    copy_image="public.ecr.aws/lambda/python:3.13.2026.06.05.14",
)
JOB = "kubernetes:batch/v1:Job"
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
POLICY = "aws:iam/rolePolicy:RolePolicy"


def build(**changes: Any) -> ModelWeights:
    bucket = pulumi.Output.from_input("the-bucket")
    return ModelWeights("scout", replaced(ARGS, **{"bucket": bucket, **changes}))


def copied(engine: Any, **changes: Any) -> dict[str, Any]:
    """Return the Job's spec."""
    engine.run(lambda: build(**changes))
    return engine.only(JOB).inputs["spec"]


# --- the bucket


def test_the_bucket_is_encrypted_versioned_private_and_tls_only(engine) -> None:
    engine.run(lambda: WeightsBucket("weights", WeightsBucketArgs(tags={"team": "a"})))

    assert engine.only("aws:s3/bucket:Bucket").inputs == {"forceDestroy": True, "tags": {"team": "a"}}
    closed = engine.only("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert closed == {
        "bucket": "weights-id",
        **dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True),
    }
    versions = engine.only("aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"]
    assert versions == {"status": "Enabled"}
    encryption = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    (rule,) = engine.only(encryption).inputs["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    (statement,) = json.loads(engine.only("aws:s3/bucketPolicy:BucketPolicy").inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2
    tidy = engine.only("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    assert tidy.inputs["rules"][0]["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert tidy.depends_on >= {"weights-versioned"}


def test_the_buckets_name_is_known_after_all_its_settings(engine) -> None:
    def program() -> None:
        bucket = WeightsBucket("weights", WeightsBucketArgs())
        pulumi.CustomResource("test:index:User", "user", {"bucket": bucket.name})

    engine.run(program)
    assert engine.named("user", "test:index:User").depends_on >= {
        "weights",
        "weights-tls-only",
        "weights-versioned",
        "weights-encrypted",
    }


def test_without_a_model_to_copy_there_is_no_bucket(engine) -> None:
    engine.run(lambda: weights_bucket_name("stack", WeightsBucketArgs(), wanted=False))
    assert engine.registrations == [] or not engine.of_type("aws:s3/bucket:Bucket")


# --- who may do what


def statements(engine: Any, name: str) -> list[dict[str, Any]]:
    return json.loads(engine.named(name, POLICY).inputs["policy"])["Statement"]


def test_the_pods_may_read_their_own_prefix_and_nothing_else(engine) -> None:
    copied(engine)
    objects, listing = statements(engine, "scout-read-policy")
    assert objects["Action"] == ["s3:GetObject"]
    assert objects["Resource"] == [f"arn:aws:s3:::the-bucket/org/model/{COMMIT}/*"]
    assert (listing["Action"], listing["Resource"]) == (["s3:ListBucket"], "arn:aws:s3:::the-bucket")
    prefix = f"org/model/{COMMIT}"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}
    association = engine.named("scout-read-association", ASSOCIATION)
    assert (association.inputs["namespace"], association.inputs["serviceAccount"]) == ("vllm-scout", "scout")
    assert "scout-read-policy" in association.depends_on


def test_only_the_job_may_write_and_it_cannot_delete(engine) -> None:
    copied(engine)
    objects, listing, uploads = statements(engine, "scout-write-policy")
    assert set(objects["Action"]) == {
        *("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    }
    assert listing["Action"] == ["s3:ListBucket"]
    assert (uploads["Action"], "Condition" in uploads) == (["s3:ListBucketMultipartUploads"], False)
    association = engine.named("scout-write-association", ASSOCIATION)
    job = engine.only(JOB)
    assert association.inputs["namespace"] == job.inputs["metadata"]["namespace"] == "vllm-scout-weights"
    assert association.inputs["serviceAccount"] == job.inputs["spec"]["template"]["spec"]["serviceAccountName"]


# --- the copy


def test_the_job_copies_one_commit_with_the_scripts_it_is_given(engine) -> None:
    spec = copied(engine)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == [
        *("python3", "-u", "/scripts/vllm_eks/pods/copy_weights.py", "--model", "org/model", "--revision", COMMIT),
        *("--bucket", "the-bucket", "--prefix", f"org/model/{COMMIT}"),
    ]
    assert "copy_weights.py" in engine.only("kubernetes:core/v1:ConfigMap").inputs["data"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (3600, 4)
    # Status 3 of the script means that a retry would fail too.
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "FailJob", "onExitCodes": {"containerName": "copy", "operator": "In", "values": [3]}}
    ]
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "a policy asks for it"
    request = engine.only(JOB).request
    assert (request.customTimeouts.create, request.customTimeouts.update) == ("3720s", "3720s")
    assert request.deleteBeforeReplace
    assert engine.only(JOB).inputs["metadata"]["name"] == "weights-0123456789ab"


def test_it_runs_on_system_nodes_under_pod_security_restricted(engine) -> None:
    spec = copied(engine)["template"]["spec"]
    assert not {"tolerations", "nodeSelector", "affinity"} & set(spec)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    labels = engine.only("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_token_reaches_only_the_job_as_a_file(engine) -> None:
    spec = copied(engine, hugging_face_token=pulumi.Output.secret("hf_abc"))["template"]["spec"]
    assert spec["containers"][0]["command"][-2:] == ["--token-file", "/secrets/hugging-face/token"]
    assert "hf_abc" not in str(spec)
    holders = [one.name for one in engine.registrations if "hf_abc" in str(one.inputs)]
    assert holders == ["scout-copy-hugging-face-token"]
    assert engine.named(holders[0], "kubernetes:core/v1:Secret").secret_paths == {"stringData"}


def test_the_uri_is_known_after_the_copy_and_the_read_permission(engine) -> None:
    def program() -> None:
        pulumi.CustomResource("test:index:User", "user", {"uri": build().uri})

    engine.run(program)
    user = engine.named("user", "test:index:User")
    assert user.inputs["uri"] == f"s3://the-bucket/org/model/{COMMIT}"
    assert user.depends_on >= {"scout-copy-job", "scout-read-association"}


def test_the_job_waits_for_its_write_permission_and_not_for_gpus(engine) -> None:
    copied(engine)
    assert "scout-write-association" in engine.only("vllm-eks:index:CopyJob").depends_on
    assert not [name for name in engine.only(JOB).depends_on if "nodes" in name]


def test_existing_weights_are_read_and_not_copied(engine) -> None:
    uri = engine.value(lambda: build(s3_uri="s3://ours/fine/tuned", revision=None, bucket=None).uri)
    assert uri == "s3://ours/fine/tuned"
    assert not engine.of_type(JOB)
    assert not [one for one in engine.of_type(ASSOCIATION) if "write" in one.name]
    objects, _ = statements(engine, "scout-read-policy")
    assert objects["Resource"] == ["arn:aws:s3:::ours/fine/tuned/*"]


def test_weights_from_the_hub_need_no_resources(engine) -> None:
    engine.run(lambda: s3_weights("scout", replaced(ARGS, from_s3=False), pulumi.ResourceOptions()))
    assert not engine.of_type("vllm-eks:index:ModelWeights")


def test_a_copy_without_a_commit_is_refused() -> None:
    with pytest.raises(ValueError, match="scout: copying weights needs a revision and a bucket"):
        build(revision=None)
