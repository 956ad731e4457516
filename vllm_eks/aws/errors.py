"""Turns botocore's errors into sentences with a fix. Imports boto3, so only commands that need AWS import it."""

from collections.abc import Generator
from contextlib import contextmanager

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    InvalidRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as NotReached

from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names

NOT_ALLOWED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
REFUSED = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


class PermissionDeniedError(WrongQuestion):
    """The credentials are valid but lack a permission."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__(text)
        self.action = action


@contextmanager
def aws_errors_explained(action: str, region: str, *, ending: str = "") -> Generator[None]:
    """Turn botocore's errors into one sentence, followed by `ending`, such as what remains unchanged.

    Raises:
        PermissionDeniedError: The credentials lack the permission for `action`.
        WrongQuestion: Any other error of botocore.
    """
    after = f" {ending}" if ending else ""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise WrongQuestion(
            f"no usable AWS credentials: {str(error).rstrip('.')}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY.{after}"
        ) from None
    except ProfileNotFound as error:
        raise WrongQuestion(f"no usable AWS credentials: {str(error).rstrip('.')}.{after}") from None
    except ClientError as error:
        raise _client_fault(error, action, region, after) from None
    except InvalidRegionError:
        raise WrongQuestion(f"{region!r} is not a valid AWS region.{after}") from None
    except NotReached as error:
        if is_unknown(region):
            guess = did_you_mean(nearest_names(region, known_regions())) or "; check the region's name"
            raise WrongQuestion(f"cannot reach AWS in region {region!r}{guess}{after}") from None
        raise WrongQuestion(f"cannot reach AWS in region {region!r}: {str(error).rstrip('.')}.{after}") from None
    except BotoCoreError as error:
        raise WrongQuestion(f"{action} in {region}: {str(error).rstrip('.')}.{after}") from None


def known_regions() -> list[str]:
    """Return the regions that this boto3 knows in AWS's public partition."""
    return boto3.Session().get_available_regions("ec2")


def is_unknown(region: str) -> bool:
    """Return whether this boto3 does not know the region: it is misspelled, or newer than boto3."""
    return region not in known_regions()


def _client_fault(error: ClientError, action: str, region: str, after: str) -> WrongQuestion:
    answer = error.response.get("Error", {})
    code, text = answer.get("Code", "no code"), answer.get("Message", "").rstrip(".")
    if code in NOT_ALLOWED:
        return PermissionDeniedError(
            f"these AWS credentials lack the permission {action} in {region}: allow it in their IAM policy.{after}",
            action,
        )
    if code in REFUSED:
        return WrongQuestion(
            f"AWS rejected the credentials in {region} ({code}): they are wrong or expired, or the region is not "
            f"enabled in the account.{after}"
        )
    return WrongQuestion(f"{action} in {region} failed with {code}: {text}.{after}")
