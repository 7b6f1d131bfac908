"""Every error raised on purpose, grouped by what the caller does about it.

TributaryError
├── BadRequestError            the caller is wrong: 4xx at the door, never retried
│   ├── UnknownProviderError       404
│   ├── NotFoundError              404
│   ├── ForbiddenError             403
│   ├── ConflictError              409
│   ├── ExpiredError               410
│   ├── TooLargeError              413
│   ├── BusyError                  429
│   └── InvalidSignatureError      401: a webhook without its proof
├── ReconnectError             the person must consent again: mark the connection, finish the message
│   └── RetiredError               nobody can any more: the vendor has ended the service
├── RetryLaterError            waiting is not failing: come back after `after` seconds
│   ├── RateLimitedError           the vendor's 429 (or its equivalent in the body)
│   │   └── OverBudgetError            it would be one, by our own count: the vendor was not asked
│   └── ProviderUnavailableError   the vendor's 5xx, a time-out, a refused socket
├── TokenRejectedError         the access token died: read it again, refresh once, try again
├── NotGrantedError            the person or the plan does not give this resource: leave it, keep the rest
├── SkipRecordError            one record makes no sense: count it, keep the raw reply, go on
└── ProviderChangedError       we no longer understand the vendor: retries, dead-letter queue, alarm
"""

from __future__ import annotations


class TributaryError(Exception):
    """Its text is shown to people and written to logs: never a value, a token or a name in it."""

    cause = "internal"
    """The reason in one word, for whoever reads what became of a job."""

    vendor_code = ""
    """The OAuth error code in the vendor's answer (RFC 6749 §5.2), where it gave one."""


class BadRequestError(TributaryError):
    """The request cannot be served as it stands; `param` names the field at fault."""

    status = 400
    code = "bad_request"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnknownProviderError(BadRequestError):
    status = 404
    code = "unknown_provider"


class NotFoundError(BadRequestError):
    status = 404
    code = "not_found"


class ForbiddenError(BadRequestError):
    status = 403
    code = "forbidden"


class ConflictError(BadRequestError):
    status = 409
    code = "conflict"


class ExpiredError(BadRequestError):
    """A one-time link or state that was used before, or is too old."""

    status = 410
    code = "expired"


class TooLargeError(BadRequestError):
    status = 413
    code = "too_large"


class BusyError(BadRequestError):
    """Too many ask for this at once."""

    status = 429
    code = "busy"


class InvalidSignatureError(BadRequestError):
    """A webhook that does not prove where it came from."""

    status = 401
    code = "invalid_signature"


class ReconnectError(TributaryError):
    """The grant is dead; `cause` is the short machine-readable reason kept on the connection."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class RetiredError(ReconnectError):
    """The vendor has turned the service off for everybody."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "provider_retired")


class RetryLaterError(TributaryError):
    """Not now. `after` is in seconds."""

    cause = "busy"

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class RateLimitedError(RetryLaterError):
    """The vendor asked us to slow down."""

    cause = "rate_limited"


class OverBudgetError(RateLimitedError):
    """Our own count of the vendor's calls says not yet. Nothing was asked, and nothing failed."""


class ProviderUnavailableError(RetryLaterError):
    """The vendor did not answer, or answered that it is broken."""

    cause = "unavailable"


class TokenRejectedError(TributaryError):
    """The vendor refused the access token."""

    cause = "token_rejected"


class NotGrantedError(TributaryError):
    """The vendor refuses this resource for this person, and only this resource."""

    cause = "not_granted"


class SkipRecordError(TributaryError):
    """One record cannot be mapped; the others can. `field` is the one at fault, where one is."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class ProviderChangedError(TributaryError):
    """The vendor's answer has a shape we were never told about."""

    cause = "provider_changed"


def cause_of(error: BaseException) -> str:
    """One word for a report, from a closed list: never another library's message."""
    return error.cause if isinstance(error, TributaryError) else TributaryError.cause
