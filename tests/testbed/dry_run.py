"""DryRun, which moto takes notice of in some actions only."""

from __future__ import annotations

from typing import Any

from .errors import AwsError


def install() -> None:
    """A dry run makes nothing; it says whether the call would have been allowed.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
    """
    from moto.core.responses import ActionResult
    from moto.ec2.responses import EC2Response

    call_action = EC2Response.call_action

    def looked_at(self: Any) -> Any:
        if str(self.params.get("DryRun", "")).lower() == "true":
            error = AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
            _, headers, body = self.serialized(ActionResult(error))
            return 412, headers, body
        return call_action(self)

    EC2Response.call_action = looked_at  # type: ignore[method-assign]
