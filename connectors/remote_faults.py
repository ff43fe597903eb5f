"""What the errors of object stores mean: whose fault, whether waiting helps, what to do.

The client libraries raise many kinds (OSError, botocore's, azure's, gcsfs' own); what they share
is a status, a code and headers somewhere along the chain of causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError

from .guarded_reply import retry_after_seconds

_REFUSED_CREDENTIALS = frozenset(
    {
        "AuthenticationFailed",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_SLOWER = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"})
_MISSING = ("NoSuchBucket", "ContainerNotFound")
_ADVICE = {
    "s3": "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN or AWS_PROFILE, or "
    "renew the login; a public bucket is read with anonymous: true",
    "gs": "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS; a "
    "public bucket is read with anonymous: true",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    status: int = 0
    code: str = ""
    retry_after_seconds: float | None = None


def judged(error: Exception, *, scheme: str, store: str, key: str = "") -> SourceError:
    """The error of ours that an error of a store's client stands for.

    Args:
        error: what the client raised.
        scheme, store: the place, for the message.
        key: the object that was read; empty when the place was listed.
    """
    facts = _facts(error)
    where = f"{scheme}://{store}/{key}" if key else f"{scheme}://{store}"
    named = facts.code or (str(facts.status) if facts.status else type(error).__name__)
    told = " ".join(str(error).split())[:300]
    if _is_missing(error, facts):
        if key and facts.code not in _MISSING:
            reason = f"{where} vanished since it was listed; the next run sees why"
        else:
            reason = f"{where} does not exist ({named}): {told}; check its name and the endpoint"
        return TransientSourceError(reason, worth_waiting=False)
    if _is_about_credentials(error, facts):
        return TransientSourceError(
            f"the credentials for {scheme}://{store} are refused ({named}): {told}; "
            f"{_ADVICE.get(scheme, 'renew them')}",
            worth_waiting=False,
        )
    if facts.status == 403 or isinstance(error, PermissionError) or told.startswith("Forbidden"):
        # Not permanent: being let in later does not change the fingerprint.
        return TransientSourceError(
            f"access to {where} is denied ({named}): {told}; let the credentials list and read",
            worth_waiting=False,
        )
    if facts.code in _SLOWER or facts.status in (429, 503):
        return TransientSourceError(
            f"{scheme}://{store} asks for fewer requests ({named})",
            retry_after_seconds=facts.retry_after_seconds,
        )
    if 400 <= facts.status < 500 and facts.status != 408:
        return PermanentSourceError(f"{where} cannot be read ({named}): {told}")
    return TransientSourceError(
        f"{where} could not be read ({named}): {told or 'no answer'}",
        retry_after_seconds=facts.retry_after_seconds,
    )


def _is_missing(error: Exception, facts: _Facts) -> bool:
    return facts.status == 404 or isinstance(error, FileNotFoundError)


def _is_about_credentials(error: Exception, facts: _Facts) -> bool:
    if facts.code in _REFUSED_CREDENTIALS or facts.status == 401:
        return True
    # Raised before any request is made, by packages that may not be installed: told by their names.
    kind = type(error)
    return (
        any(word in kind.__name__ for word in ("Credential", "SSO", "Profile", "TokenRetrieval"))
        or kind.__module__.startswith("google.auth")
        or (isinstance(error, ValueError) and "account" in str(error).lower())
    )


def _facts(error: BaseException) -> _Facts:
    for each in _chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, Mapping):
            meta = response.get("ResponseMetadata", {})
            status = meta.get("HTTPStatusCode", 0)
            code = str(response.get("Error", {}).get("Code", ""))
            headers = meta.get("HTTPHeaders", {})
        else:
            status = getattr(each, "status_code", None) or getattr(each, "code", None)
            code = str(getattr(each, "error_code", None) or "")
            headers = getattr(response, "headers", None) or {}
        if isinstance(status, int) and status:
            return _Facts(
                status=status,
                code="" if code.isdecimal() else code,
                retry_after_seconds=retry_after_seconds(str(headers.get("retry-after") or "")),
            )
    return _Facts()


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__
