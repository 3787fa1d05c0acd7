# Things of AWS by the tags that make them ours, read and changed with boto3. Runs after `aws` is defined, see bed.rs.

import functools
import urllib.parse

client = functools.cache(aws)


def paged(service, call, key, **arguments):
    pages = client(service).get_paginator(call).paginate(**arguments)
    return [item for page in pages for item in page[key]]


def tags_of(tags):
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in tags or []}


def only(items, what):
    items = list(items)
    assert len(items) == 1, f"{len(items)} of {what}"
    return items[0]


class Elb:
    """Listeners, rules and target groups, each with its tags: asked for once."""

    @functools.cached_property
    def all(self):
        elb = client("elbv2")
        found = {}
        for balancer in paged("elbv2", "describe_load_balancers", "LoadBalancers"):
            found[balancer["LoadBalancerArn"]] = ("load_balancer", balancer)
            for listener in paged("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"]):
                found[listener["ListenerArn"]] = ("listener", listener)
                for rule in paged("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                    if not rule["IsDefault"]:
                        found[rule["RuleArn"]] = ("listener_rule", rule)
        for group in paged("elbv2", "describe_target_groups", "TargetGroups"):
            found[group["TargetGroupArn"]] = ("target_group", group)
        arns = list(found)
        tags = {}
        for start in range(0, len(arns), 20):
            for answer in elb.describe_tags(ResourceArns=arns[start:start + 20])["TagDescriptions"]:
                tags[answer["ResourceArn"]] = tags_of(answer["Tags"])
        return [(kind, item, arn, tags.get(arn, {})) for arn, (kind, item) in found.items()]


class Things:
    """What one infra group, or one tenant in it, has."""

    def __init__(self, tier, tenant=None, elb=None):
        self.tier, self.tenant, self.elb = tier, tenant, elb or Elb()

    # Network

    def ec2_all(self, call, key, name=None):
        filters = [{"Name": "tag:tierctl:tier", "Values": [self.tier]}]
        if name:
            filters.append({"Name": "tag:tierctl:resource", "Values": [name]})
        found = paged("ec2", call, key, Filters=filters)
        return [item for item in found if item.get("State") not in ("deleting", "deleted")]

    def vpc(self):
        return only(self.ec2_all("describe_vpcs", "Vpcs"), "vpc")

    def vpc_id(self):
        return self.vpc()["VpcId"]

    def dns(self):
        ask = lambda name: client("ec2").describe_vpc_attribute(VpcId=self.vpc_id(), Attribute=name)
        return [ask("enableDnsSupport")["EnableDnsSupport"]["Value"], ask("enableDnsHostnames")["EnableDnsHostnames"]["Value"]]

    def subnets(self, ids=None):
        """Names of our subnets, or of those with these ids."""
        found = self.ec2_all("describe_subnets", "Subnets")
        return sorted(tags_of(s["Tags"])["tierctl:resource"] for s in found if ids is None or s["SubnetId"] in ids)

    def subnet(self, name):
        return only(self.ec2_all("describe_subnets", "Subnets", name), name)

    def gateway(self):
        return only(self.ec2_all("describe_internet_gateways", "InternetGateways"), "internet gateway")

    def table(self, name):
        return only(self.ec2_all("describe_route_tables", "RouteTables", name), name)

    def table_subnets(self, name):
        return self.subnets([a["SubnetId"] for a in self.table(name)["Associations"]])

    def routes(self, name):
        to = lambda route: route.get("DestinationCidrBlock") or route.get("DestinationPrefixListId")
        return sorted(to(route) for route in self.table(name)["Routes"])

    def group(self, name):
        return only(self.ec2_all("describe_security_groups", "SecurityGroups", name), name)

    def group_names(self, ids):
        found = self.ec2_all("describe_security_groups", "SecurityGroups")
        return sorted(tags_of(g["Tags"])["tierctl:resource"] for g in found if g["GroupId"] in ids)

    @functools.cached_property
    def lists(self):
        found = client("ec2").describe_managed_prefix_lists()["PrefixLists"]
        return {each["PrefixListId"]: each["PrefixListName"].rsplit(".", 1)[-1] for each in found}

    def rules(self, name, direction):
        """As `tcp 443-443 10.0.0.0/8`, with names in the place of the ids of our own groups and of prefix lists."""
        groups = self.ec2_all("describe_security_groups", "SecurityGroups")
        ours = {g["GroupId"]: tags_of(g["Tags"])["tierctl:resource"] for g in groups}
        group = only((g for g in groups if ours[g["GroupId"]] == name), name)
        found = []
        for p in group["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"]:
            ports = f"{p.get('FromPort', '*')}-{p.get('ToPort', '*')}"
            peers = [r["CidrIp"] for r in p["IpRanges"]] + [r["CidrIpv6"] for r in p["Ipv6Ranges"]]
            peers += [f"list {self.lists[r['PrefixListId']]}" for r in p["PrefixListIds"]]
            peers += [ours.get(r["GroupId"], r["GroupId"]) for r in p["UserIdGroupPairs"]]
            found += [f"{p['IpProtocol']} {ports} {peer}" for peer in peers]
        return sorted(found)

    def endpoints(self):
        return sorted(tags_of(e["Tags"])["tierctl:resource"] for e in self.ec2_all("describe_vpc_endpoints", "VpcEndpoints"))

    def endpoint(self, name):
        return only(self.ec2_all("describe_vpc_endpoints", "VpcEndpoints", name), name)

    def endpoint_policy(self, name):
        return normal(json.loads(self.endpoint(name)["PolicyDocument"]))["Statement"]

    def endpoint_subnets(self, name):
        return self.subnets(self.endpoint(name)["SubnetIds"])

    def endpoint_groups(self, name):
        return self.group_names([g["GroupId"] for g in self.endpoint(name)["Groups"]])

    def endpoint_tables(self, name):
        return sorted(self.endpoint(name)["RouteTableIds"])

    # Roles and logs

    def role(self, name):
        for role in paged("iam", "list_roles", "Roles", PathPrefix=f"/tierctl/{self.tier}/"):
            tags = tags_of(client("iam").list_role_tags(RoleName=role["RoleName"])["Tags"])
            if tags.get("tierctl:resource") == name:
                return client("iam").get_role(RoleName=role["RoleName"])["Role"] | {"Tags": tags}
        raise AssertionError(f"no role {name}")

    def role_name(self, name):
        return self.role(name)["RoleName"]

    def managed_policies(self, name):
        attached = client("iam").list_attached_role_policies(RoleName=self.role_name(name))["AttachedPolicies"]
        return sorted(policy["PolicyName"] for policy in attached)

    def inline_policies(self, name):
        iam, role = client("iam"), self.role_name(name)
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return {n: normal(iam.get_role_policy(RoleName=role, PolicyName=n)["PolicyDocument"])["Statement"] for n in names}

    def boundary(self, name):
        return self.role(name).get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    def trust(self, name):
        return normal(self.role(name)["AssumeRolePolicyDocument"])

    def log_group_name(self):
        return f"/tierctl/{self.tier}/cell-1/ig-1"

    def log_group(self):
        groups = client("logs").describe_log_groups(logGroupNamePrefix=self.log_group_name())["logGroups"]
        return only(groups, "log group")

    def log_tags(self):
        return client("logs").list_tags_log_group(logGroupName=self.log_group_name())["tags"]

    # Load balancing

    def elb_find(self, kind, name=None, tenant=None):
        def is_it(tags):
            same = tags.get("tierctl:tier") == self.tier and tags.get("tierctl:tenant") == tenant
            return same and (name is None or tags.get("tierctl:resource") == name)
        return [(item, arn, tags) for k, item, arn, tags in self.elb.all if k == kind and is_it(tags)]

    def lb(self):
        return only(self.elb_find("load_balancer"), "load balancer")[0]

    def lb_arn(self):
        return self.lb()["LoadBalancerArn"]

    def lb_attribute(self, key):
        found = client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=self.lb_arn())["Attributes"]
        return {a["Key"]: a["Value"] for a in found}.get(key)

    def lb_subnets(self):
        return self.subnets([zone["SubnetId"] for zone in self.lb()["AvailabilityZones"]])

    def lb_groups(self):
        return self.group_names(self.lb()["SecurityGroups"])

    def listeners(self):
        return sorted(item["Port"] for item, _, _ in self.elb_find("listener"))

    def listener(self, port):
        return only(self.elb_find("listener", f"port-{port}"), f"listener {port}")[0]

    def default_action(self, port):
        action = only(self.listener(port)["DefaultActions"], "default action")
        if action["Type"] == "fixed-response":
            return action["FixedResponseConfig"]["StatusCode"]
        return action["Type"] if action["Type"] != "redirect" else f"redirect {action['RedirectConfig']['Port']}"

    def target_groups(self):
        return [item for item, _, _ in self.elb_find("target_group", tenant=self.tenant)]

    def target_group(self):
        return only(self.target_groups(), "target group")

    def tg_arn(self):
        return self.target_group()["TargetGroupArn"]

    def tg_attribute(self, key):
        found = client("elbv2").describe_target_group_attributes(TargetGroupArn=self.tg_arn())["Attributes"]
        return {a["Key"]: a["Value"] for a in found}.get(key)

    def targets(self):
        health = client("elbv2").describe_target_health(TargetGroupArn=self.tg_arn())["TargetHealthDescriptions"]
        leaving = ("draining", "unhealthy.draining")
        live = [t["Target"] for t in health if t["TargetHealth"]["State"] not in leaving]
        return sorted(f"{t['Id']}:{t['Port']}" for t in live)

    def rule(self):
        return only(self.elb_find("listener_rule", tenant=self.tenant), "listener rule")[0]

    def rule_arn(self):
        return self.rule()["RuleArn"]

    def priority(self):
        return int(self.rule()["Priority"])

    def conditions(self):
        def said(c):
            config = c.get("PathPatternConfig") or c.get("HttpHeaderConfig")
            return [c["Field"], config.get("HttpHeaderName"), sorted(config["Values"])]
        return [said(c) for c in self.rule()["Conditions"]]

    def forwards_to_own(self):
        action = only(self.rule()["Actions"], "action")
        return action.get("TargetGroupArn") == self.tg_arn()

    # Containers

    def cluster_name(self):
        return f"{self.tier}-cell-1-ig-1-{self.tenant}"

    def cluster(self):
        found = client("ecs").describe_clusters(clusters=[self.cluster_name()], include=["SETTINGS", "TAGS"])["clusters"]
        return only((c for c in found if c["status"] == "ACTIVE"), "cluster")

    def insights(self):
        return {s["name"]: s["value"] for s in self.cluster()["settings"]}["containerInsights"]

    def service(self):
        found = client("ecs").describe_services(cluster=self.cluster_name(), services=[self.tenant], include=["TAGS"])["services"]
        return only((s for s in found if s["status"] == "ACTIVE"), "service")

    def deployment(self, key):
        return self.service()["deploymentConfiguration"][key]

    def strategy(self):
        items = self.service()["capacityProviderStrategy"]
        return sorted([i["capacityProvider"], i.get("weight", 0), i.get("base", 0)] for i in items)

    def network(self):
        return self.service()["networkConfiguration"]["awsvpcConfiguration"]

    def definition(self):
        """What the service really runs."""
        return client("ecs").describe_task_definition(taskDefinition=self.service()["taskDefinition"])["taskDefinition"]

    def container(self, name="app"):
        return next((c for c in self.definition()["containerDefinitions"] if c["name"] == name), None)

    def containers(self):
        return sorted(c["name"] for c in self.definition()["containerDefinitions"])

    def environment(self, name="app"):
        who = ("TENANT_ID", "TIER", "CELL", "INFRA_GROUP")
        return {e["name"]: e["value"] for e in self.container(name)["environment"] if e["name"] not in who}

    def identity(self):
        pairs = {e["name"]: e["value"] for e in self.container()["environment"]}
        return [pairs[name] for name in ("TENANT_ID", "TIER", "CELL", "INFRA_GROUP")]

    def secrets(self, name="app"):
        return {s["name"]: s["valueFrom"] for s in self.container(name).get("secrets", [])}

    def check(self, name="app"):
        c = self.container(name).get("healthCheck")
        return c and [c["command"], c["interval"], c["timeout"], c["retries"], c.get("startPeriod", 0)]

    # Tags

    def all_tags(self):
        """Tags of everything that can be tagged, by kind and name."""
        found = {}
        for call, key, kind in [
            ("describe_vpcs", "Vpcs", "vpc"), ("describe_subnets", "Subnets", "subnet"),
            ("describe_internet_gateways", "InternetGateways", "internet_gateway"),
            ("describe_route_tables", "RouteTables", "route_table"),
            ("describe_security_groups", "SecurityGroups", "security_group"),
            ("describe_vpc_endpoints", "VpcEndpoints", "vpc_endpoint"),
        ]:
            for item in self.ec2_all(call, key):
                tags = tags_of(item["Tags"])
                found[f"{kind} {tags['tierctl:resource']}"] = tags
        for name in ("task", "execution"):
            found[f"role {name}"] = self.role(name)["Tags"]
        found["log_group logs"] = self.log_tags()
        for kind in ("load_balancer", "listener"):
            for _, _, tags in self.elb_find(kind):
                found[f"{kind} {tags['tierctl:resource']}"] = tags
        return found

    def tenant_tags(self):
        found = {}
        for kind in ("target_group", "listener_rule"):
            found[kind] = only(self.elb_find(kind, tenant=self.tenant), kind)[2]
        found["cluster"] = tags_of(self.cluster()["tags"])
        found["service"] = tags_of(self.service()["tags"])
        arn = self.service()["taskDefinition"]
        answer = client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])
        found["task_definition"] = tags_of(answer["tags"])
        return found


def normal(document):
    """A policy with lists where AWS may also give a single value."""
    listed = lambda value: sorted(value) if isinstance(value, list) else [value]
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    keys = ("Action", "NotAction", "Resource", "NotResource")
    return document | {"Statement": [
        {key: listed(value) if key in keys else value for key, value in statement.items()} for statement in statements
    ]}


def read_all(rows):
    """Each row names a tier, a tenant or none, and an expression over its things, `t`."""
    elb = Elb()
    found = []
    for tier, tenant, expression in rows:
        try:
            found.append(eval(expression, globals() | {"t": Things(tier, tenant, elb)}))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found
