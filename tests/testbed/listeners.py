"""Listeners and their rules: AWS's normal form of conditions and actions, quotas, priorities."""

from __future__ import annotations

import copy
from typing import Any

from moto.moto_api._internal import mock_random

from .errors import AwsError
from .hooks import Call
from .load_balancers import get, rules_of
from .rules import Layer, Plain, Proceed, always, rule
from .target_groups import forwards, links

DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"
CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
REDIRECT = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}


def listener(call: Call, arn: str) -> Any:
    """A listener, or the error that there is none."""
    for balancer in call.elb.load_balancers.values():
        if arn in balancer.listeners:
            return balancer.listeners[arn]
    raise AwsError("ListenerNotFound", f"One or more listeners not found: {arn}")


def normal_condition(condition: Plain) -> Plain:
    """Both the values and the typed form, as AWS answers."""
    field = condition.get("Field")
    config = CONFIGS.get(field or "", "")
    answer: Plain = {"Field": field}
    typed = copy.deepcopy(condition.get(config)) or {}
    if field in ("path-pattern", "host-header"):
        found = typed.get("Values") or condition.get("Values") or []
        answer["Values"] = list(found)
        answer[config] = {**typed, "Values": list(found)}
    elif config:
        answer[config] = typed
    return answer


def normal_action(action: Plain, position: int) -> Plain:
    """With its order, and with both forms of forwarding."""
    answer = copy.deepcopy({name: value for name, value in action.items() if value is not None})
    answer["Order"] = int(answer.get("Order") or position)
    if answer["Type"] == "forward":
        config = answer.get("ForwardConfig") or {}
        groups = config.get("TargetGroups") or [{"TargetGroupArn": answer["TargetGroupArn"]}]
        stickiness = config.get("TargetGroupStickinessConfig") or {}
        answer["ForwardConfig"] = {
            "TargetGroups": [{"TargetGroupArn": one["TargetGroupArn"], "Weight": int(one.get("Weight", 1))}
                             for one in groups],
            "TargetGroupStickinessConfig": {**stickiness, "Enabled": stickiness.get("Enabled") in (True, "true")},
        }
        if len(groups) == 1:
            answer["TargetGroupArn"] = groups[0]["TargetGroupArn"]
        else:
            answer.pop("TargetGroupArn", None)
    elif answer["Type"] == "redirect":
        answer["RedirectConfig"] = {**REDIRECT, **answer["RedirectConfig"]}
    return answer


def normal_actions(actions: list[Plain]) -> list[Plain]:
    return [normal_action(action, number) for number, action in enumerate(actions, 1)]


def _each(result: Plain) -> list[tuple[Plain, str]]:
    return [(one, "Actions") for one in result.get("Rules", [])] + \
        [(one, "DefaultActions") for one in result.get("Listeners", [])]


ANSWERING = ("CreateListener", "ModifyListener", "DescribeListeners", "CreateRule", "ModifyRule", "DescribeRules",
             "SetRulePriorities")


@always("elasticloadbalancing", *ANSWERING, layer=Layer.BEHAVIOUR)
def as_kept(call: Call, proceed: Proceed) -> Plain:
    """Actions and conditions as they were sent: moto's objects have more and less than that.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Rule.html
    """
    result = proceed()
    if call.action == "CreateListener":
        made = listener(call, result["Listeners"][0]["ListenerArn"])
        stem = made.arn.replace(":listener/", ":listener-rule/")
        made._default_rule[0].arn = f"{stem}/{mock_random.get_random_hex(16)}"
    by_arn = {one.arn: one for balancer in call.elb.load_balancers.values()
              for a_listener in balancer.listeners.values() for one in a_listener.rules.values()}
    for one in result.get("Rules", []):
        kept = by_arn[one["RuleArn"]]
        one["Priority"] = str(kept.priority)
        one["IsDefault"] = kept.is_default
        one["Conditions"] = copy.deepcopy(kept.conditions)
        one["Actions"] = [copy.deepcopy(action.data) for action in kept.actions]
    for one in result.get("Listeners", []):
        kept = listener(call, one["ListenerArn"])
        one["DefaultActions"] = [copy.deepcopy(action.data) for action in kept.default_actions]
        one["Port"] = int(kept.port)
        if kept.protocol in ("HTTPS", "TLS"):
            one["SslPolicy"] = kept.ssl_policy or DEFAULT_POLICY
            one["Certificates"] = [{"CertificateArn": arn} for arn in kept.certificates[:1]]
            one["MutualAuthentication"] = {"Mode": "off"}
        else:
            one.pop("SslPolicy", None)
            one.pop("Certificates", None)
        if not one.get("AlpnPolicy"):
            one.pop("AlpnPolicy", None)
    return result


@rule("normal-listener-rules", "elasticloadbalancing", *ANSWERING, layer=Layer.NORMAL)
def normal(call: Call, proceed: Proceed) -> Plain:
    """Conditions come back with their values and the typed form, actions with their order, weights and defaults.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html
    """
    result = proceed()
    for one, key in _each(result):
        one[key] = normal_actions(one[key])
        if "Conditions" in one:
            one["Conditions"] = [normal_condition(condition) for condition in one["Conditions"]]
    return result


# --- listeners


@rule("duplicate-listener", "elasticloadbalancing", "CreateListener")
def one_of_a_port(call: Call, proceed: Proceed) -> Plain:
    """A second listener on a port with the same settings is the first one; with others it is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    sent, balancer = call.parameters, get(call, call.parameters["LoadBalancerArn"])
    for existing in balancer.listeners.values():
        if int(existing.port) != int(sent["Port"]):
            continue
        same = (
            existing.protocol == sent["Protocol"]
            and normal_actions([action.data for action in existing.default_actions])
            == normal_actions(sent["DefaultActions"])
            and [one["CertificateArn"] for one in sent.get("Certificates") or []] == existing.certificates[:1]
            and (existing.protocol == "HTTP" or sent.get("SslPolicy", DEFAULT_POLICY) == existing.ssl_policy)
        )
        if not same:
            raise AwsError("DuplicateListener", f"A listener already exists on port {sent['Port']} for this load "
                           f"balancer '{balancer.arn}'")
        call.parameters.clear()
        call.parameters["ListenerArns"] = [existing.arn]
        return call.response.describe_listeners().result  # type: ignore[attr-defined,no-any-return]
    return proceed()


@always("elasticloadbalancing", "CreateListener", "ModifyListener", layer=Layer.CHECK)
def secure_listeners(call: Call, proceed: Proceed) -> Plain:
    """HTTPS needs a certificate, HTTP takes none; target groups are led to by one load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
    """
    sent = call.parameters
    existing = listener(call, sent["ListenerArn"]) if "ListenerArn" in sent else None
    protocol = sent.get("Protocol") or (existing.protocol if existing else None)
    certificates = sent.get("Certificates") or []
    if protocol == "HTTPS" and not certificates and not (existing and existing.certificates):
        raise AwsError("ValidationError", "A certificate must be specified for HTTPS listeners")
    if protocol == "HTTP" and (certificates or sent.get("SslPolicy")):
        raise AwsError("ValidationError", "Certificates and an SSL policy cannot be specified for HTTP listeners")
    for one in certificates:
        if not call.elb._certificate_exists(one["CertificateArn"]):
            raise AwsError("CertificateNotFound", f"Certificate '{one['CertificateArn']}' not found")
    balancer = sent.get("LoadBalancerArn") or (existing.load_balancer_arn if existing else "")
    if existing is None:
        get(call, balancer)
    elif sent.get("Port") is not None:
        siblings = get(call, balancer).listeners.values()
        if any(one is not existing and int(one.port) == int(sent["Port"]) for one in siblings):
            raise AwsError("DuplicateListener", f"A listener already exists on port {sent['Port']}")
    _check_target_groups(call, balancer, sent.get("DefaultActions") or [])
    result = proceed()
    if existing is not None and protocol == "HTTP":
        existing.certificates, existing.certificate, existing.ssl_policy = [], None, None
    elif existing is not None and protocol == "HTTPS" and not existing.ssl_policy:
        existing.ssl_policy = DEFAULT_POLICY
    return result


@rule("quota-listeners", "elasticloadbalancing", "CreateListener")
def listeners_per_balancer(call: Call, proceed: Proceed) -> Plain:
    """50 listeners on a load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    balancer = get(call, call.parameters["LoadBalancerArn"])
    same_port = any(int(one.port) == int(call.parameters["Port"]) for one in balancer.listeners.values())
    if not same_port and len(balancer.listeners) >= call.settings.quota("listeners-per-load-balancer"):
        raise AwsError("TooManyListeners", "The maximum number of listeners has been reached")
    return proceed()


@always("elasticloadbalancing", "DeleteListener", "DeleteRule", layer=Layer.BEHAVIOUR)
def delete(call: Call, proceed: Proceed) -> Plain:
    """Their tags go with them. A rule that does not exist is not found; a default rule stays.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteRule.html
    """
    if call.action == "DeleteListener":
        found = listener(call, call.parameters["ListenerArn"])
        gone = [found.arn, *found._non_default_rules]
    else:
        arn = call.parameters["RuleArn"]
        rules = {one.arn: one for balancer in call.elb.load_balancers.values()
                 for a_listener in balancer.listeners.values() for one in a_listener.rules.values()}
        if arn not in rules:
            raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")
        if rules[arn].is_default:
            raise AwsError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
        gone = [arn]
    result = proceed()
    for arn in gone:
        call.elb.tagging_service.delete_all_tags_for_resource(arn)
    return result


# --- rules


def _check_target_groups(call: Call, balancer_arn: str, actions: list[Plain]) -> None:
    """The target groups of actions exist, and no other load balancer leads to them."""
    linked = links(call.elb)
    for action in actions:
        for arn in forwards(action):
            if arn not in call.elb.target_groups:
                raise AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")
            others = [one for one in linked.get(arn, []) if one != balancer_arn]
            if others and call.holds("one-load-balancer"):
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )
    if call.holds("quota-target-groups-per-load-balancer"):
        there = {arn for arn, balancers in linked.items() if balancer_arn in balancers}
        there |= {arn for action in actions for arn in forwards(action)}
        if len(there) > call.settings.quota("target-groups-per-load-balancer"):
            raise AwsError(
                "TooManyUniqueTargetGroupsPerLoadBalancer",
                "You've reached the limit on the number of unique target groups per load balancer across all listeners",
            )


@rule("one-load-balancer", "elasticloadbalancing", "CreateRule", "CreateListener", "ModifyRule", "ModifyListener")
def one_load_balancer(call: Call, proceed: Proceed) -> Plain:
    """A target group is used with one load balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
    """
    return proceed()  # asked for where the target groups of actions are checked


@rule("quota-target-groups-per-load-balancer", "elasticloadbalancing", "CreateRule", "CreateListener", "ModifyRule")
def target_groups_per_balancer(call: Call, proceed: Proceed) -> Plain:
    """100 target groups on a load balancer; this one cannot be raised.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    return proceed()  # asked for where the target groups of actions are checked


def _balancer_of_rule(call: Call, arn: str) -> str:
    for balancer in call.elb.load_balancers.values():
        for a_listener in balancer.listeners.values():
            if arn in a_listener.rules:
                return str(balancer.arn)
    raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")


@always("elasticloadbalancing", "CreateRule", "ModifyRule", layer=Layer.CHECK)
def rule_parts(call: Call, proceed: Proceed) -> Plain:
    """Actions lead to target groups that may be led to, and a priority is from 1 to 50,000.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
    """
    sent = call.parameters
    if call.action == "CreateRule":
        balancer = listener(call, sent["ListenerArn"]).load_balancer_arn
        if not 1 <= int(sent["Priority"]) <= 50000:
            raise AwsError("ValidationError", f"Priority '{sent['Priority']}' must be between 1 and 50000")
    else:
        balancer = _balancer_of_rule(call, sent["RuleArn"])
    _check_target_groups(call, balancer, sent.get("Actions") or [])
    for condition in sent.get("Conditions") or []:
        config = condition.get(CONFIGS.get(condition.get("Field", ""), ""))
        if config and condition.get("Field") in ("path-pattern", "host-header"):
            condition.pop("Values", None)
    return proceed()


@rule("quota-condition-values", "elasticloadbalancing", "CreateRule", "ModifyRule")
def condition_values(call: Call, proceed: Proceed) -> Plain:
    """Five condition values in a rule.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    limit = call.settings.quota("condition-values-per-rule")
    count = 0
    for condition in call.parameters.get("Conditions") or []:
        config = condition.get(CONFIGS.get(condition.get("Field", ""), "")) or {}
        count += len(config.get("Values") or condition.get("Values") or [])
    if count > limit:
        raise AwsError("ValidationError", f"A rule can only have '{limit}' condition values")
    return proceed()


@rule("quota-rules", "elasticloadbalancing", "CreateRule")
def rules_per_balancer(call: Call, proceed: Proceed) -> Plain:
    """100 rules on a load balancer, default rules not counted.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    """
    balancer = get(call, listener(call, call.parameters["ListenerArn"]).load_balancer_arn)
    if len(rules_of(balancer)) >= call.settings.quota("rules-per-load-balancer"):
        raise AwsError("TooManyRules", "The maximum number of rules has been reached")
    return proceed()


@always("elasticloadbalancing", "SetRulePriorities", layer=Layer.REPAIR)
def set_priorities(call: Call, _proceed: Proceed) -> Plain:
    """Priorities change all at once, so that two rules can swap theirs.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetRulePriorities.html
    """
    wanted = {one["RuleArn"]: int(one["Priority"]) for one in call.parameters["RulePriorities"]}
    if len(set(wanted.values())) != len(wanted):
        raise AwsError("ValidationError", "A priority was specified more than once")
    chosen = []
    for arn, priority in wanted.items():
        a_listener = listener(call, arn.replace(":listener-rule/", ":listener/").rsplit("/", 1)[0])
        found = a_listener._non_default_rules.get(arn)
        if found is None:
            raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")
        for other in a_listener._non_default_rules.values():
            if other.arn not in wanted and int(other.priority) == priority:
                raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
        chosen.append(found)
    for found in chosen:
        found.priority = wanted[found.arn]
    return {"Rules": [{"RuleArn": found.arn} for found in chosen]}


@always("elasticloadbalancing", "DescribeRules", layer=Layer.REPAIR)
def all_rules(call: Call, proceed: Proceed) -> Plain:
    """All rules by priority, the default last; pages are made further out.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html
    """
    if call.parameters.get("ListenerArn") and not call.parameters.get("RuleArns"):
        found = listener(call, call.parameters["ListenerArn"])
        ordered = sorted(found._non_default_rules.values(), key=lambda one: int(one.priority))
        return {"Rules": [{"RuleArn": one.arn} for one in (*ordered, *found._default_rule.values())]}
    call.parameters["PageSize"] = 10**6
    return proceed()


# --- tags


def _exists(call: Call, arn: str) -> None:
    balancers = call.elb.load_balancers
    known = arn in call.elb.target_groups or arn in balancers or any(
        arn in balancer.listeners
        or any(arn == one.arn for a_listener in balancer.listeners.values() for one in a_listener.rules.values())
        for balancer in balancers.values()
    )
    if known:
        return
    for part, code in ((":targetgroup/", "TargetGroupNotFound"), (":listener-rule/", "RuleNotFound"),
                       (":listener/", "ListenerNotFound")):
        if part in arn:
            raise AwsError(code, f"'{arn}' not found")
    raise AwsError("LoadBalancerNotFound", f"Load balancers '[{arn}]' not found")


@always("elasticloadbalancing", "DescribeTags", layer=Layer.BEHAVIOUR)
def describe_tags(call: Call, proceed: Proceed) -> Plain:
    """Tags of things that exist.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    for arn in call.parameters.get("ResourceArns") or []:
        _exists(call, arn)
    return proceed()


@always("elasticloadbalancing", "AddTags", layer=Layer.BEHAVIOUR)
def add_tags(call: Call, _proceed: Proceed) -> Plain:
    """50 tags on a thing; moto stops at ten.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html
    """
    tags = {one["Key"]: one.get("Value", "") for one in call.parameters["Tags"]}
    service = call.elb.tagging_service
    for arn in call.parameters["ResourceArns"]:
        _exists(call, arn)
        if len({**service.get_tag_dict_for_resource(arn), **tags}) > 50:
            raise AwsError("TooManyTags", "The maximum number of tags has been reached")
        service.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])
    return {}
