"""Client tokens: the same request again is the same thing, with other parameters it is refused."""

from __future__ import annotations

import copy

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, rule

TOKEN_ERRORS = {
    "ec2": ("IdempotentParameterMismatch", "The request uses the same client token as a previous, but non-identical "
            "request. Do not reuse a client token with different requests, unless the requests are identical"),
    "ecs": ("InvalidParameterException", "The request uses the same client token as a previous, but non-identical "
            "request."),
}


def _once(call: Call, proceed: Proceed, token_name: str) -> Plain:
    token = call.parameters.get(token_name)
    if not token:
        return proceed()
    if len(token) > 64 or (call.service == "ecs" and len(token) > 36):
        code = "InvalidParameterException" if call.service == "ecs" else "InvalidParameterValue"
        raise AwsError(code, f"The client token is too long: {token}")
    sent = copy.deepcopy({name: value for name, value in call.parameters.items() if name != token_name})
    done = call.memory(f"tokens of {call.action}")
    if token in done:
        before, result = done[token]
        if before != sent:
            raise AwsError(*TOKEN_ERRORS[call.service])
        return copy.deepcopy(result)
    result = proceed()
    done[token] = (sent, copy.deepcopy(result))
    return result


@rule("client-token", "ec2", "CreateVpcEndpoint", "CreateNatGateway", "CreateRouteTable", layer=Layer.TOKEN)
def ec2_token(call: Call, proceed: Proceed) -> Plain:
    """A retry with the same token makes nothing new.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    return _once(call, proceed, "ClientToken")


@rule("client-token", "ecs", "CreateService", layer=Layer.TOKEN)
def service_token(call: Call, proceed: Proceed) -> Plain:
    """A service too is made once for a token, of up to 36 characters.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
    """
    return _once(call, proceed, "clientToken")
