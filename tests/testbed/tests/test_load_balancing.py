"""Load balancers, target groups, listeners and rules."""

from __future__ import annotations

from typing import Any

from .conftest import Aws, refused, until

FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]


def test_load_balancers(aws: Aws) -> None:
    network = aws.network()
    made = aws.elbv2.create_load_balancer(Name="alb", Subnets=network.subnets, Scheme="internal",
                                          Tags=[{"Key": "a", "Value": "b"}])["LoadBalancers"][0]
    assert made["DNSName"].startswith("internal-alb-")
    assert made["Type"] == "application"
    default = aws.ec2.describe_security_groups(GroupIds=made["SecurityGroups"])["SecurityGroups"][0]
    assert default["GroupName"] == "default"
    arn = made["LoadBalancerArn"]
    tags = aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    interfaces = aws.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/alb/*"]}])
    assert len(interfaces["NetworkInterfaces"]) == 2
    aws.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[network.group])
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=network.group)
    refused("DependencyViolation", aws.ec2.delete_subnet, SubnetId=network.subnets[0])
    aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=network.group)
    until(lambda: not aws.ec2.describe_network_interfaces()["NetworkInterfaces"])
    aws.ec2.delete_security_group(GroupId=network.group)
    refused("LoadBalancerNotFound", aws.elbv2.describe_load_balancers, LoadBalancerArns=[arn])
    refused("LoadBalancerNotFound", aws.elbv2.describe_load_balancers, Names=["alb"])
    refused("LoadBalancerNotFound", aws.elbv2.describe_tags, ResourceArns=[arn])


def test_provisioning(aws: Aws) -> None:
    aws.set(load_balancer_provisioning=0.2)
    network = aws.network()
    aws.balancer(network)

    def state() -> str:
        return str(aws.elbv2.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"])

    assert state() == "provisioning"
    until(lambda: state() == "active")


def test_what_a_load_balancer_must_have(aws: Aws) -> None:
    network = aws.network()
    create = aws.elbv2.create_load_balancer
    refused("InvalidSubnet", create, Name="a", Subnets=network.subnets)  # no internet gateway
    refused("InvalidSubnet", create, Name="a", Subnets=network.subnets[:1], Scheme="internal")
    refused("SubnetNotFound", create, Name="a", Subnets=["subnet-0"], Scheme="internal")
    refused("ValidationError", create, Name="internal-a", Subnets=network.subnets, Scheme="internal")
    refused("InvalidSecurityGroup", create, Name="a", Subnets=network.subnets, Scheme="internal",
            SecurityGroups=["sg-0"])


def test_one_load_balancer_of_a_name(aws: Aws) -> None:
    network = aws.network()
    arn, _ = aws.balancer(network)
    parameters: dict[str, Any] = {"Name": "alb", "Subnets": network.subnets, "Scheme": "internal"}
    again = aws.elbv2.create_load_balancer(**parameters, SecurityGroups=[network.group])["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == arn
    assert len(aws.elbv2.describe_load_balancers()["LoadBalancers"]) == 1
    refused("DuplicateLoadBalancerName", aws.elbv2.create_load_balancer, **{**parameters, "Type": "network"})
    aws.off("duplicate-load-balancer")
    other = aws.elbv2.create_load_balancer(**parameters)["LoadBalancers"][0]
    assert other["LoadBalancerArn"] != arn


def test_attributes(aws: Aws) -> None:
    network = aws.network()
    arn, _ = aws.balancer(network)

    def attributes() -> dict[str, str]:
        found = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return {one["Key"]: one["Value"] for one in found}

    assert attributes()["idle_timeout.timeout_seconds"] == "60"
    assert attributes()["deletion_protection.enabled"] == "false"
    assert attributes()["routing.http.drop_invalid_header_fields.enabled"] == "false"
    modify = aws.elbv2.modify_load_balancer_attributes
    answer = modify(LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}])
    assert len(answer["Attributes"]) == len(attributes()) > 15
    refused("OperationNotPermitted", aws.elbv2.delete_load_balancer, LoadBalancerArn=arn)
    refused("ValidationError", modify, LoadBalancerArn=arn, Attributes=[{"Key": "nonsense", "Value": "1"}])
    refused("InvalidConfigurationRequest", modify, LoadBalancerArn=arn,
            Attributes=[{"Key": "access_logs.s3.enabled", "Value": "true"}])


def test_target_groups(aws: Aws) -> None:
    network = aws.network()
    arn = aws.target_group(network, Tags=[{"Key": str(number), "Value": "x"} for number in range(20)])
    found = aws.elbv2.describe_target_groups(Names=["tg"])["TargetGroups"][0]
    assert found["HealthCheckPath"] == "/"
    assert found["Matcher"] == {"HttpCode": "200"}
    assert (found["HealthCheckIntervalSeconds"], found["HealthCheckTimeoutSeconds"]) == (30, 5)
    assert (found["HealthyThresholdCount"], found["UnhealthyThresholdCount"]) == (5, 2)
    assert (found["HealthCheckPort"], found["HealthCheckProtocol"]) == ("traffic-port", "HTTP")
    assert (found["ProtocolVersion"], found["IpAddressType"], found["TargetType"]) == ("HTTP1", "ipv4", "ip")
    assert found["LoadBalancerArns"] == []
    assert len(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]) == 20
    assert aws.target_group(network) == arn
    refused("DuplicateTargetGroupName", aws.elbv2.create_target_group, Name="tg", Protocol="HTTP", Port=81,
            VpcId=network.vpc, TargetType="ip")
    refused("ValidationError", aws.elbv2.modify_target_group, TargetGroupArn=arn, HealthCheckIntervalSeconds=301)
    changed = aws.elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/up", HealthCheckIntervalSeconds=10,
                                            Matcher={"HttpCode": "200-299"})["TargetGroups"][0]
    assert (changed["HealthCheckPath"], changed["HealthCheckIntervalSeconds"]) == ("/up", 10)
    assert aws.elbv2.describe_target_groups()["TargetGroups"][0]["Matcher"] == {"HttpCode": "200-299"}
    attributes = {one["Key"]: one["Value"] for one in
                  aws.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "300"
    assert attributes["stickiness.type"] == "lb_cookie"
    refused("ValidationError", aws.elbv2.modify_target_group_attributes, TargetGroupArn=arn,
            Attributes=[{"Key": "slow_start.duration_seconds", "Value": "10"}])
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[
        {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}])
    aws.off("duplicate-target-group")
    refused("DuplicateTargetGroupName", aws.elbv2.create_target_group, Name="tg", Protocol="HTTP", Port=8080,
            VpcId=network.vpc, TargetType="ip")  # moto's own answer


def test_links_follow_rules(aws: Aws) -> None:
    stack = aws.stack()

    def linked() -> list[str]:
        return list(aws.elbv2.describe_target_groups(TargetGroupArns=[stack.group])["TargetGroups"][0][
            "LoadBalancerArns"])

    assert linked() == [stack.balancer]
    by_balancer = aws.elbv2.describe_target_groups(LoadBalancerArn=stack.balancer)["TargetGroups"]
    assert [group["TargetGroupArn"] for group in by_balancer] == [stack.group]
    refused("ResourceInUse", aws.elbv2.delete_target_group, TargetGroupArn=stack.group)
    aws.elbv2.delete_rule(RuleArn=stack.rule)
    assert linked() == []
    assert aws.elbv2.describe_target_groups(LoadBalancerArn=stack.balancer)["TargetGroups"] == []
    refused("RuleNotFound", aws.elbv2.delete_rule, RuleArn=stack.rule)
    refused("RuleNotFound", aws.elbv2.describe_tags, ResourceArns=[stack.rule])
    aws.elbv2.delete_target_group(TargetGroupArn=stack.group)
    refused("TargetGroupNotFound", aws.elbv2.describe_target_groups, TargetGroupArns=[stack.group])


def test_registered_addresses(aws: Aws) -> None:
    stack = aws.stack()
    register = aws.elbv2.register_targets
    register(TargetGroupArn=stack.group, Targets=[{"Id": "10.0.0.9"}, {"Id": "10.0.1.9", "Port": 81}])
    assert stack.health() == ["initial", "initial"]
    until(lambda: stack.health() == ["healthy", "healthy"])
    found = aws.elbv2.describe_target_health(TargetGroupArn=stack.group)["TargetHealthDescriptions"]
    assert {(one["Target"]["Id"], one["Target"]["Port"], one["Target"]["AvailabilityZone"]) for one in found} == {
        ("10.0.0.9", 8080, "us-east-1a"), ("10.0.1.9", 81, "us-east-1b")}
    refused("ValidationError", register, TargetGroupArn=stack.group, Targets=[{"Id": "192.168.1.1"}])
    register(TargetGroupArn=stack.group, Targets=[{"Id": "192.168.1.1", "AvailabilityZone": "all"}])
    refused("ValidationError", register, TargetGroupArn=stack.group, Targets=[{"Id": "8.8.8.8"}])
    aws.elbv2.deregister_targets(TargetGroupArn=stack.group, Targets=[{"Id": "10.0.0.9"}])
    assert "draining" in stack.health()
    until(lambda: "draining" not in stack.health())
    refused("InvalidTarget", aws.elbv2.deregister_targets, TargetGroupArn=stack.group, Targets=[{"Id": "10.0.0.9"}])
    aws.set(unhealthy_addresses=["10.0.0.77"])
    register(TargetGroupArn=stack.group, Targets=[{"Id": "10.0.0.77"}])
    until(lambda: "unhealthy" in stack.health())
    lone = aws.target_group(stack.network, "lone")
    register(TargetGroupArn=lone, Targets=[{"Id": "10.0.0.9"}])
    health = aws.elbv2.describe_target_health(TargetGroupArn=lone)["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")
    aws.set(quotas={"targets-per-target-group": 1})
    refused("TooManyTargets", register, TargetGroupArn=lone, Targets=[{"Id": "10.0.0.10"}])
    aws.off("quota-targets")
    register(TargetGroupArn=lone, Targets=[{"Id": "10.0.0.10"}])


def test_listeners(aws: Aws) -> None:
    network = aws.network()
    balancer, arn = aws.balancer(network)
    listener = aws.elbv2.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    assert listener["DefaultActions"] == [{**FIXED[0], "Order": 1}]
    assert "SslPolicy" not in listener
    create = aws.elbv2.create_listener
    http = {"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80}
    assert create(**http, DefaultActions=FIXED)["Listeners"][0]["ListenerArn"] == arn
    other = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
    refused("DuplicateListener", create, **http, DefaultActions=other)
    refused("ValidationError", create, LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, DefaultActions=FIXED)
    refused("CertificateNotFound", create, LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, DefaultActions=FIXED,
            Certificates=[{"CertificateArn": f"arn:aws:acm:us-east-1:{aws.account}:certificate/none"}])
    certificate = aws.acm.request_certificate(DomainName="a.example.com")["CertificateArn"]
    secure = create(LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, DefaultActions=FIXED,
                    Certificates=[{"CertificateArn": certificate}])["Listeners"][0]
    assert secure["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    assert secure["Certificates"] == [{"CertificateArn": certificate}]
    redirect = [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443",
                                                        "StatusCode": "HTTP_301"}}]
    changed = aws.elbv2.modify_listener(ListenerArn=arn, DefaultActions=redirect)["Listeners"][0]
    assert changed["DefaultActions"][0]["RedirectConfig"] == {
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}",
        "StatusCode": "HTTP_301"}
    refused("DuplicateListener", aws.elbv2.modify_listener, ListenerArn=arn, Port=443)
    aws.elbv2.delete_listener(ListenerArn=secure["ListenerArn"])
    refused("ListenerNotFound", aws.elbv2.describe_listeners, ListenerArns=[secure["ListenerArn"]])
    aws.off("duplicate-listener")
    create(**http, DefaultActions=FIXED)
    assert len(aws.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]) == 2


def test_rules_come_back_in_normal_form(aws: Aws) -> None:
    stack = aws.stack()
    made = aws.elbv2.create_rule(
        ListenerArn=stack.listener, Priority=5,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/a/*"]}},
                    {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Tenant", "Values": ["a"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": stack.group}], Tags=[{"Key": "a", "Value": "b"}],
    )["Rules"][0]
    assert made["Priority"] == "5"
    assert made["IsDefault"] is False
    assert made["Conditions"] == [
        {"Field": "path-pattern", "Values": ["/a", "/a/*"], "PathPatternConfig": {"Values": ["/a", "/a/*"]}},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Tenant", "Values": ["a"]}}]
    assert made["Actions"] == [{
        "Type": "forward", "TargetGroupArn": stack.group, "Order": 1,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": stack.group, "Weight": 1}],
                          "TargetGroupStickinessConfig": {"Enabled": False}}}]
    rules = aws.elbv2.describe_rules(ListenerArn=stack.listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["1", "5", "default"]
    assert rules[1] == made
    assert rules[2]["IsDefault"] is True
    again = aws.elbv2.modify_rule(RuleArn=made["RuleArn"], Conditions=made["Conditions"][1:])["Rules"][0]
    assert len(again["Conditions"]) == 1
    aws.off("normal-listener-rules")
    plain = aws.elbv2.describe_rules(RuleArns=[made["RuleArn"]])["Rules"][0]
    assert "Order" not in plain["Actions"][0]


def test_priorities(aws: Aws) -> None:
    stack = aws.stack()
    second = aws.rule(stack.listener, stack.group, 2)
    refused("PriorityInUse", aws.elbv2.create_rule, ListenerArn=stack.listener, Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/z"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": stack.group}])
    aws.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": stack.rule, "Priority": 2},
                                                  {"RuleArn": second, "Priority": 1}])
    rules = aws.elbv2.describe_rules(ListenerArn=stack.listener)["Rules"]
    assert [rule["RuleArn"] for rule in rules[:2]] == [second, stack.rule]
    refused("PriorityInUse", aws.elbv2.set_rule_priorities,
            RulePriorities=[{"RuleArn": stack.rule, "Priority": 1}])


def test_a_target_group_has_one_load_balancer(aws: Aws) -> None:
    stack = aws.stack()
    _, other = aws.balancer(stack.network, "other")
    parameters = {"ListenerArn": other, "Priority": 1, "Conditions": [{"Field": "path-pattern", "Values": ["/z"]}],
                  "Actions": [{"Type": "forward", "TargetGroupArn": stack.group}]}
    refused("TargetGroupAssociationLimit", aws.elbv2.create_rule, **parameters)
    aws.off("one-load-balancer")
    aws.elbv2.create_rule(**parameters)


def test_quotas(aws: Aws) -> None:
    stack = aws.stack()
    aws.set(quotas={"load-balancers": 1, "listeners-per-load-balancer": 1, "rules-per-load-balancer": 1,
                    "target-groups": 1, "target-groups-per-load-balancer": 1, "condition-values-per-rule": 1})
    limits = {one["Name"]: one["Max"] for one in aws.elbv2.describe_account_limits()["Limits"]}
    assert limits["rules-per-application-load-balancer"] == "1"
    refused("TooManyLoadBalancers", aws.elbv2.create_load_balancer, Name="b", Subnets=stack.network.subnets,
            Scheme="internal")
    refused("TooManyListeners", aws.elbv2.create_listener, LoadBalancerArn=stack.balancer, Protocol="HTTP", Port=81,
            DefaultActions=FIXED)
    group = {"Name": "b", "Protocol": "HTTP", "Port": 80, "VpcId": stack.network.vpc, "TargetType": "ip"}
    refused("TooManyTargetGroups", aws.elbv2.create_target_group, **group)
    values = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/b"]}}
    rule = {"ListenerArn": stack.listener, "Priority": 2, "Conditions": [values],
            "Actions": [{"Type": "forward", "TargetGroupArn": stack.group}]}
    refused("TooManyRules", aws.elbv2.create_rule, **rule)
    aws.off("quota-rules")
    message = refused("ValidationError", aws.elbv2.create_rule, **rule)
    assert "condition values" in message
    aws.off("quota-condition-values")
    aws.elbv2.create_rule(**rule)
    aws.off("quota-target-groups")
    second = aws.elbv2.create_target_group(**group)["TargetGroups"][0]["TargetGroupArn"]
    rule = {**rule, "Priority": 3, "Actions": [{"Type": "forward", "TargetGroupArn": second}]}
    refused("TooManyUniqueTargetGroupsPerLoadBalancer", aws.elbv2.create_rule, **rule)
    aws.off("quota-target-groups-per-load-balancer", "quota-load-balancers", "quota-listeners")
    aws.elbv2.create_rule(**rule)
    aws.balancer(stack.network, "b")
    aws.elbv2.create_listener(LoadBalancerArn=stack.balancer, Protocol="HTTP", Port=81, DefaultActions=FIXED)


def test_batches_and_pages(aws: Aws) -> None:
    stack = aws.stack()
    refused("ValidationError", aws.elbv2.describe_tags, ResourceArns=[stack.group] * 21)
    for number in range(2, 7):
        aws.rule(stack.listener, stack.group, number)
    page = aws.elbv2.describe_rules(ListenerArn=stack.listener, PageSize=4)
    rest = aws.elbv2.describe_rules(ListenerArn=stack.listener, PageSize=4, Marker=page["NextMarker"])
    assert len(page["Rules"]) + len(rest["Rules"]) == 7
    assert "NextMarker" not in rest
    aws.set(page_size=1)
    aws.target_group(stack.network, "second")
    pages = list(aws.elbv2.get_paginator("describe_target_groups").paginate())
    assert len(pages) == 2
    aws.off("pages", "batch-limits")
    assert len(aws.elbv2.describe_target_groups()["TargetGroups"]) == 2
    aws.elbv2.describe_tags(ResourceArns=[stack.group] * 21)
