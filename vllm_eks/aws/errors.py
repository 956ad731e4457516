"""What botocore raises, as one sentence that says what to do. Loads boto3: imported by the commands that ask AWS."""

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


class NotAllowed(WrongQuestion):
    """The credentials are good, but may not do this."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__(text)
        self.action = action


@contextmanager
def told(action: str, region: str, *, ending: str = "") -> Generator[None]:
    """Turn what botocore raises into one sentence, followed by `ending`: what stays as it was, for example.

    Raises:
        NotAllowed: The credentials lack the permission for `action`.
        WrongQuestion: Anything else that botocore raises.
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
        raise WrongQuestion(f"{region!r} is not the name of an AWS region.{after}") from None
    except NotReached as error:
        if is_unknown(region):
            guess = did_you_mean(nearest_names(region, known_regions())) or "; is there such a region?"
            raise WrongQuestion(f"cannot reach AWS in region {region!r}{guess}{after}") from None
        raise WrongQuestion(f"cannot reach AWS in region {region!r}: {str(error).rstrip('.')}.{after}") from None
    except BotoCoreError as error:
        raise WrongQuestion(f"{action} in {region}: {str(error).rstrip('.')}.{after}") from None


def known_regions() -> list[str]:
    """Return the regions this boto3 knows, of AWS's public partition."""
    return boto3.Session().get_available_regions("ec2")


def is_unknown(region: str) -> bool:
    """Whether this boto3 has never heard of the region: a typing error, or one that is newer than it."""
    return region not in known_regions()


def _client_fault(error: ClientError, action: str, region: str, after: str) -> WrongQuestion:
    answer = error.response.get("Error", {})
    code, text = answer.get("Code", "no code"), answer.get("Message", "").rstrip(".")
    if code in NOT_ALLOWED:
        return NotAllowed(
            f"these AWS credentials may not call {action} in {region}: allow that action in their IAM policy.{after}",
            action,
        )
    if code in REFUSED:
        return WrongQuestion(
            f"AWS refused the credentials in {region} ({code}): they are wrong or expired, or the region is not "
            f"enabled for the account.{after}"
        )
    return WrongQuestion(f"AWS answered {action} in {region} with {code}: {text}.{after}")
