"""Errors in AWS's words, for moto to serialise and for the front to send itself."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """Refuses a call. moto writes it in the protocol of the service that was called.

    Its status is that of the service's model, by default 400, unless one is given.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.status = status


Answer = tuple[int, dict[str, str], bytes]

#: Services that speak JSON; the others speak XML.
JSON_SERVICES = frozenset({"ecs", "logs", "application-autoscaling", "tagging"})
REQUEST_ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"


def wire_error(service: str, code: str, message: str, status: int) -> Answer:
    """An error answered without asking moto, in the service's own protocol.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
    """
    if service in JSON_SERVICES:
        body = json.dumps({"__type": code, "message": message})
        return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}, body.encode()
    code, message = escape(code), escape(message)
    if service == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{REQUEST_ID}</RequestID></Response>"
        )
    else:
        fault = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
    return status, {"Content-Type": "text/xml"}, body.encode()
