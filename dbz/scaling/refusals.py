"""How AWS refuses a call, by the codes of its APIs, and what a user reads of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from dbz.errors import DbzError, DependencyError, UsageError

ATTEMPTS = 6
"""How often a call is made until it fails."""
_MISSING = re.compile(r"NotFound|MissingException|NotActive|NonExistent|DoesNotExist|NoSuchDistribution")


class CallError(DependencyError):
    """A call that was made and failed, whatever its effect; `aws_code` is the one that AWS gave."""

    def __init__(self, message: str, *, hint: str = "", code: str, aws_code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.aws_code = aws_code


class NotThereError(UsageError):
    """A call about something that does not exist."""


class _Refusal(NamedTuple):
    """How AWS says that it does not serve a caller, and what a user reads of it."""

    codes: re.Pattern[str]
    says: str
    """With `{permission}`, as policies name it, and `{reason}`, AWS's own."""
    hint: str
    code: str
    messages: re.Pattern[str] | None = None
    """Where the code alone does not tell."""

    def is_meant(self, code: str, message: str) -> bool:
        """Whether an answer is such a refusal."""
        return bool(self.codes.search(code) or (self.messages and self.messages.search(message)))


_REFUSALS = (
    _Refusal(
        re.compile(r"ExpiredToken|TokenRefreshRequired"),
        "the AWS credentials have expired ({permission})",
        "aws sso login, or new ones",
        "S003",
    ),
    _Refusal(
        re.compile(r"RequestExpired|RequestTimeTooSkewed|RequestInTheFuture"),
        "AWS takes this machine's clock for wrong ({permission}): {reason}",
        "set the clock, as with NTP",
        "S004",
        re.compile(r"[Ss]ignature (?:expired|not yet current)"),
    ),
    _Refusal(  # who asks is not known, so that no policy would help
        re.compile(
            r"UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|AuthFailure|MissingAuthenticationToken|"
            r"InvalidSignature|IncompleteSignature"
        ),
        "AWS does not know the credentials ({permission}): {reason}",
        "AWS_PROFILE, --aws-profile; a region that is off knows none (aws account list-regions)",
        "S003",
    ),
    _Refusal(
        re.compile(r"OptInRequired|SubscriptionRequired|RegionDisabled"),
        "the account has not switched on what {permission} needs: {reason}",
        "aws account list-regions; aws account enable-region",
        "S004",
    ),
    _Refusal(
        re.compile(r"AccessDenied|Unauthorized"),
        "AWS refused {permission}: {reason}",
        "the policy in docs/scale.md allows {permission}",
        "S004",
    ),
)
"""The first that is meant counts."""


def refusal_of(code: str, message: str, permission: str) -> DbzError:
    """The error about a call that AWS, or something before it, answered with a code and a message; `permission` is the
    call as policies name it, like `ecs:UpdateService`.
    """
    reason = message or code
    for refusal in _REFUSALS:
        if refusal.is_meant(code, message):
            said, hint = (text.format(permission=permission, reason=reason) for text in (refusal.says, refusal.hint))
            return CallError(said, hint=hint, aws_code=code, code=refusal.code)
    if _MISSING.search(code):
        return NotThereError(f"{permission}: {reason}", code="S007")
    if code.isdigit():
        between = "something in front of AWS (a proxy, a VPC endpoint, a load balancer)"
        return CallError(
            f"{permission} failed: {between} answered {code} {message}, {ATTEMPTS} times", aws_code=code, code="S005"
        )
    if code in ("ValidationException", "InvalidParameterException", "ClientException", "ValidationError"):
        return CallError(f"{permission} was not accepted: {reason}", aws_code=code, code="S006")
    return CallError(
        f"{permission} failed after {ATTEMPTS} attempts: {code} {message}".strip(), aws_code=code, code="S005"
    )
