//! What somebody changes or deletes by hand, with boto3: the next plan shows exactly that, with its value before and
//! after, and the next apply or onboarding puts it right.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::fields;
use crate::project::Project;
use crate::rows::{Scene, assert_right, lines, tag, tenant, tier, values};
use crate::scenes::{all, lived_in_tier, standing};

/// One change by hand.
struct Drift {
    name: &'static str,
    /// Whose thing is changed, as `tiers/plain` or `tenants/acme`.
    spec: &'static str,
    /// Python over the spec's things, `t`; what it puts into `facts` can be named in `shows`.
    by_hand: &'static str,
    /// What is changed, as Python over `t`: not the same while it is changed, and the same again in the end.
    reads: &'static str,
    /// Lines of the plan; with them the value before and after, where the line is about a field.
    shows: Vec<(String, Option<(Value, Value)>)>,
}

fn drift(name: &'static str, spec: &'static str, reads: &'static str, by_hand: &'static str) -> Drift {
    Drift { name, spec, by_hand, reads, shows: Vec::new() }
}

impl Drift {
    fn shows(mut self, line: &str, before: Value, after: Value) -> Self {
        let line = if line.starts_with('@') { line.to_string() } else { format!("@{} {line}", tag(self.spec)) };
        self.shows.push((line, Some((before, after))));
        self
    }

    /// For what is made again, and for values that are told elsewhere.
    fn lists<T: AsRef<str>>(mut self, all: impl IntoIterator<Item = T>) -> Self {
        for line in all {
            let line = line.as_ref();
            let line = if line.starts_with('@') { line.to_string() } else { format!("@{} {line}", tag(self.spec)) };
            self.shows.push((line, None));
        }
        self
    }
}

fn rule(ports: Option<(u16, u16)>, protocol: &str, peer: &str) -> Value {
    json!({ "from_port": ports.map(|(from, _)| from), "peer": peer, "protocol": protocol, "to_port": ports.map(|(_, to)| to) })
}

fn of_network() -> Vec<Drift> {
    vec![
        drift(
            "a rule is added",
            "tiers/plain",
            "t.rules('tasks', 'ingress')",
            "ec2.authorize_security_group_ingress(GroupId=t.group('tasks')['GroupId'], IpProtocol='tcp', FromPort=22, ToPort=22, CidrIp='0.0.0.0/0')",
        )
        .shows(
            "update security_group_rules tasks-ingress rules",
            json!([rule(Some((1024, 65535)), "tcp", "{balancer-group}"), rule(Some((22, 22)), "tcp", "0.0.0.0/0")]),
            json!([rule(Some((1024, 65535)), "tcp", "{balancer-group}")]),
        ),
        drift(
            "a rule is removed",
            "tiers/plain",
            "t.rules('endpoints-8443', 'ingress')",
            "g = t.group('endpoints-8443'); ec2.revoke_security_group_ingress(GroupId=g['GroupId'], IpPermissions=g['IpPermissions'])",
        )
        .shows(
            "update security_group_rules endpoints-8443-ingress rules",
            json!([]),
            json!([rule(Some((8443, 8443)), "tcp", "{tasks-group}")]),
        ),
        drift(
            "egress is opened",
            "tiers/plain",
            "t.rules('load-balancer', 'egress')",
            "ec2.authorize_security_group_egress(GroupId=t.group('load-balancer')['GroupId'], IpPermissions=[{'IpProtocol': '-1', 'IpRanges': [{'CidrIp': '0.0.0.0/0'}]}])",
        )
        .shows(
            "update security_group_rules load-balancer-egress rules",
            json!([
                rule(Some((1024, 65535)), "tcp", "{tasks-group}"),
                rule(None, "-1", "0.0.0.0/0"),
            ]),
            json!([rule(Some((1024, 65535)), "tcp", "{tasks-group}")]),
        ),
        drift(
            "ways out of nowhere",
            "tiers/plain",
            "t.rules('endpoints-443', 'egress')",
            "ec2.authorize_security_group_egress(GroupId=t.group('endpoints-443')['GroupId'], IpPermissions=[{'IpProtocol': 'udp', 'FromPort': 53, 'ToPort': 53, 'PrefixListIds': [{'PrefixListId': '{s3}'}]}])",
        )
        .shows("update security_group_rules endpoints-443-egress rules", json!([rule(Some((53, 53)), "udp", "{s3}")]), json!([])),
        drift(
            "policy of an endpoint",
            "tiers/plain",
            "t.endpoint_policy('bidder')",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('bidder')['VpcEndpointId'], PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Deny', 'Principal': '*', 'Action': '*', 'Resource': '*'}]}))",
        )
        .shows(
            "update vpc_endpoint bidder policy.Statement",
            json!([{ "Effect": "Deny", "Principal": { "AWS": ["*"] }, "Action": ["*"], "Resource": ["*"] }]),
            json!([{ "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": ["*"], "Resource": ["*"] }]),
        ),
        drift(
            "policy of a gateway endpoint",
            "tiers/plain",
            "t.endpoint_policy('artifacts')",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('artifacts')['VpcEndpointId'], ResetPolicy=True)",
        )
        .shows(
            "update vpc_endpoint artifacts policy.Statement",
            json!([{ "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": ["*"], "Resource": ["*"] }]),
            json!([{ "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": ["s3:GetObject"], "Resource": ["*"] }]),
        ),
        drift(
            "a subnet is taken from an endpoint",
            "tiers/plain",
            "t.endpoint_subnets('logs')",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('logs')['VpcEndpointId'], RemoveSubnetIds=[t.subnet('private-us-east-1b')['SubnetId']])",
        )
        .lists(["update vpc_endpoint logs subnet_ids"]),
        drift(
            "a group is added to an endpoint",
            "tiers/plain",
            "t.endpoint_groups('bidder')",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('bidder')['VpcEndpointId'], AddSecurityGroupIds=[t.group('tasks')['GroupId']])",
        )
        .lists(["update vpc_endpoint bidder security_group_ids"]),
        drift(
            "private DNS is off",
            "tiers/plain",
            "t.endpoint('logs')['PrivateDnsEnabled']",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('logs')['VpcEndpointId'], PrivateDnsEnabled=False)",
        )
        .shows("update vpc_endpoint logs private_dns_enabled", json!(false), json!(true)),
        drift(
            "a gateway endpoint loses its routes",
            "tiers/plain",
            "t.endpoint_tables('artifacts')",
            "ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('artifacts')['VpcEndpointId'], RemoveRouteTableIds=[t.table('private')['RouteTableId']])",
        )
        .shows("update vpc_endpoint artifacts route_table_ids", json!([]), json!(["{private-table}"])),
        drift(
            "a route to the internet",
            "tiers/public",
            "t.routes('private')",
            "ec2.create_route(RouteTableId=t.table('private')['RouteTableId'], DestinationCidrBlock='0.0.0.0/0', GatewayId=t.gateway()['InternetGatewayId'])",
        )
        .shows("update route_table private routes", json!([{ "destination": "0.0.0.0/0", "target": "{gateway}" }]), json!([])),
        drift(
            "no route to the internet",
            "tiers/public",
            "t.routes('public')",
            "ec2.delete_route(RouteTableId=t.table('public')['RouteTableId'], DestinationCidrBlock='0.0.0.0/0')",
        )
        .shows("update route_table public routes", json!([]), json!([{ "destination": "0.0.0.0/0", "target": "{gateway}" }])),
        drift(
            "a subnet leaves its route table",
            "tiers/plain",
            "t.table_subnets('private')",
            "a = [a for a in t.table('private')['Associations'] if a['SubnetId'] == t.subnet('private-us-east-1a')['SubnetId']][0]; ec2.disassociate_route_table(AssociationId=a['RouteTableAssociationId'])",
        )
        .lists(["update route_table private subnet_ids"]),
        drift(
            "public addresses for tasks",
            "tiers/plain",
            "t.subnet('private-us-east-1a')['MapPublicIpOnLaunch']",
            "ec2.modify_subnet_attribute(SubnetId=t.subnet('private-us-east-1a')['SubnetId'], MapPublicIpOnLaunch={'Value': True})",
        )
        .shows("update subnet private-us-east-1a map_public_ip_on_launch", json!(true), json!(false)),
        drift(
            "DNS of the VPC",
            "tiers/public",
            "t.dns()",
            "for name in ('EnableDnsHostnames', 'EnableDnsSupport'): ec2.modify_vpc_attribute(VpcId=t.vpc_id(), **{name: {'Value': False}})",
        )
        .shows("update vpc vpc enable_dns_support", json!(false), json!(true))
        .shows("update vpc vpc enable_dns_hostnames", json!(false), json!(true)),
    ]
}

fn of_roles_and_logs() -> Vec<Drift> {
    vec![
        drift(
            "a policy is edited",
            "tiers/plain",
            "t.inline_policies('task')",
            "iam.put_role_policy(RoleName=t.role_name('task'), PolicyName='tierctl', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}}))",
        )
        .shows(
            "update role task inline_policies.tierctl.Statement",
            json!([{ "Effect": "Allow", "Action": ["*"], "Resource": ["*"] }]),
            json!([{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::one/*"] }]),
        ),
        drift(
            "a policy is added",
            "tiers/plain",
            "t.inline_policies('execution')",
            "iam.put_role_policy(RoleName=t.role_name('execution'), PolicyName='more', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}))",
        )
        .shows(
            "update role execution inline_policies.more",
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"] }] }),
            Value::Null,
        ),
        drift(
            "a policy is deleted",
            "tiers/public",
            "t.inline_policies('task')",
            "iam.delete_role_policy(RoleName=t.role_name('task'), PolicyName='tierctl')",
        )
        .shows(
            "update role task inline_policies.tierctl",
            Value::Null,
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::one/*"] }] }),
        ),
        drift(
            "a policy is attached",
            "tiers/plain",
            "t.managed_policies('task')",
            "iam.attach_role_policy(RoleName=t.role_name('task'), PolicyArn='arn:aws:iam::aws:policy/AdministratorAccess')",
        )
        .shows("update role task managed_policies", json!(["arn:aws:iam::aws:policy/AdministratorAccess"]), json!([])),
        drift(
            "a policy is detached",
            "tiers/plain",
            "t.managed_policies('execution')",
            "iam.detach_role_policy(RoleName=t.role_name('execution'), PolicyArn='arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy')",
        )
        .shows(
            "update role execution managed_policies",
            json!([]),
            json!(["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]),
        ),
        drift(
            "a boundary is set",
            "tiers/plain",
            "t.boundary('execution')",
            "iam.put_role_permissions_boundary(RoleName=t.role_name('execution'), PermissionsBoundary='arn:aws:iam::aws:policy/ReadOnlyAccess')",
        )
        .shows("update role execution permissions_boundary", json!("arn:aws:iam::aws:policy/ReadOnlyAccess"), Value::Null),
        drift(
            "a boundary is taken away",
            "tiers/public",
            "t.boundary('execution')",
            "iam.delete_role_permissions_boundary(RoleName=t.role_name('execution'))",
        )
        .shows("update role execution permissions_boundary", Value::Null, json!("arn:aws:iam::aws:policy/PowerUserAccess")),
        drift(
            "everybody is trusted",
            "tiers/public",
            "t.trust('task')",
            "iam.update_assume_role_policy(RoleName=t.role_name('task'), PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': '*'}, 'Action': 'sts:AssumeRole'}]}))",
        )
        .shows(
            "update role task assume_role_policy.Statement",
            json!([{ "Effect": "Allow", "Principal": { "AWS": ["*"] }, "Action": ["sts:AssumeRole"] }]),
            json!([{
                "Effect": "Allow",
                "Principal": { "Service": ["ecs-tasks.amazonaws.com"] },
                "Action": ["sts:AssumeRole"],
                "Condition": {
                    "ArnLike": { "aws:SourceArn": ["arn:aws:ecs:us-east-1:{account}:*"] },
                    "StringEquals": { "aws:SourceAccount": ["{account}"] },
                },
            }]),
        ),
        drift(
            "logs are kept for less",
            "tiers/plain",
            "t.log_group().get('retentionInDays')",
            "client('logs').put_retention_policy(logGroupName=t.log_group_name(), retentionInDays=7)",
        )
        .shows("update log_group logs retention_in_days", json!(7), json!(30)),
        drift(
            "logs are kept for ever",
            "tiers/public",
            "t.log_group().get('retentionInDays')",
            "client('logs').delete_retention_policy(logGroupName=t.log_group_name())",
        )
        .shows("update log_group logs retention_in_days", Value::Null, json!(30)),
    ]
}

fn of_load_balancing() -> Vec<Drift> {
    vec![
        drift(
            "attributes of the load balancer",
            "tiers/plain",
            "[t.lb_attribute(key) for key in ('deletion_protection.enabled', 'idle_timeout.timeout_seconds', 'access_logs.s3.enabled')]",
            "elb.modify_load_balancer_attributes(LoadBalancerArn=t.lb_arn(), Attributes=[{'Key': 'deletion_protection.enabled', 'Value': 'true'}, {'Key': 'idle_timeout.timeout_seconds', 'Value': '5'}, {'Key': 'access_logs.s3.bucket', 'Value': 'theirs'}, {'Key': 'access_logs.s3.enabled', 'Value': 'true'}])",
        )
        .shows("update load_balancer load-balancer attributes.deletion_protection.enabled", json!("true"), json!("false"))
        .shows("update load_balancer load-balancer attributes.idle_timeout.timeout_seconds", json!("5"), json!("90"))
        .shows("update load_balancer load-balancer attributes.access_logs.s3.enabled", json!("true"), json!("false")),
        drift(
            "groups of the load balancer",
            "tiers/plain",
            "t.lb_groups()",
            "elb.set_security_groups(LoadBalancerArn=t.lb_arn(), SecurityGroups=[t.group(name)['GroupId'] for name in ('load-balancer', 'tasks')])",
        )
        .lists(["update load_balancer load-balancer security_group_ids"]),
        drift(
            "subnets of the load balancer",
            "tiers/plain",
            "t.lb_subnets()",
            "elb.set_subnets(LoadBalancerArn=t.lb_arn(), Subnets=[t.subnet(f'private-us-east-1{zone}')['SubnetId'] for zone in 'ab'])",
        )
        .lists(["update load_balancer load-balancer subnet_ids"]),
        drift(
            "default action",
            "tiers/plain",
            "t.default_action(80)",
            "elb.modify_listener(ListenerArn=t.listener(80)['ListenerArn'], DefaultActions=[{'Type': 'fixed-response', 'FixedResponseConfig': {'StatusCode': '200', 'ContentType': 'text/plain', 'MessageBody': 'No tenant answers here.'}}])",
        )
        .shows("update listener port-80 default_action.status_code", json!("200"), json!("404")),
        drift(
            "a default action of another type",
            "tiers/public",
            "t.default_action(80)",
            "elb.modify_listener(ListenerArn=t.listener(80)['ListenerArn'], DefaultActions=[{'Type': 'redirect', 'RedirectConfig': {'Protocol': 'HTTPS', 'Host': 'evil.example.com', 'StatusCode': 'HTTP_301'}}])",
        )
        .lists(["type", "what", "port", "protocol", "status_code"].map(|part| format!("update listener port-80 default_action.{part}"))),
        drift(
            "TLS and certificate",
            "tiers/public",
            "[t.listener(443)['SslPolicy'], t.listener(443)['Certificates'][0]['CertificateArn']]",
            "elb.modify_listener(ListenerArn=t.listener(443)['ListenerArn'], SslPolicy='ELBSecurityPolicy-2016-08', Certificates=[{'CertificateArn': '{renewed}'}])",
        )
        .shows("update listener port-443 ssl_policy", json!("ELBSecurityPolicy-2016-08"), json!("ELBSecurityPolicy-TLS13-1-2-2021-06"))
        .shows("update listener port-443 certificate_arn", json!("{renewed}"), json!("{certificate}")),
        drift(
            "conditions of a rule",
            "tenants/acme",
            "t.conditions()",
            "elb.modify_rule(RuleArn=t.rule_arn(), Conditions=[{'Field': 'path-pattern', 'Values': ['/everything/*']}])",
        )
        .shows(
            "update listener_rule conditions",
            json!([{ "field": "path-pattern", "values": ["/everything/*"] }]),
            json!([{ "field": "path-pattern", "values": ["/acme", "/acme/*"] }]),
        ),
        drift(
            "action of a rule",
            "tenants/globex",
            "t.forwards_to_own()",
            "elb.modify_rule(RuleArn=t.rule_arn(), Actions=[{'Type': 'fixed-response', 'FixedResponseConfig': {'StatusCode': '503'}}])",
        )
        .lists(["update listener_rule target_group_arn"]),
        drift(
            "a rule out of its band",
            "tenants/visitor",
            "t.priority()",
            "elb.set_rule_priorities(RulePriorities=[{'RuleArn': t.rule_arn(), 'Priority': 500}])",
        )
        .lists(["update listener_rule priority"]),
        drift(
            "health check of a target group",
            "tenants/acme",
            "[t.target_group()['HealthCheckPath'], t.target_group()['Matcher']]",
            "elb.modify_target_group(TargetGroupArn=t.tg_arn(), HealthCheckPath='/other', Matcher={'HttpCode': '200-499'})",
        )
        .shows("update target_group health_check.health_check_path", json!("/other"), json!("/healthz"))
        .shows("update target_group health_check.matcher", json!("200-499"), json!("200")),
        drift(
            "attributes of a target group",
            "tenants/acme",
            "[t.tg_attribute('deregistration_delay.timeout_seconds'), t.tg_attribute('stickiness.enabled')]",
            "elb.modify_target_group_attributes(TargetGroupArn=t.tg_arn(), Attributes=[{'Key': 'deregistration_delay.timeout_seconds', 'Value': '5'}, {'Key': 'stickiness.enabled', 'Value': 'true'}])",
        )
        .shows("update target_group attributes.deregistration_delay.timeout_seconds", json!("5"), json!("30"))
        .shows("update target_group attributes.stickiness.enabled", json!("true"), json!("false")),
        drift(
            "targets",
            "tenants/fleet",
            "t.targets()",
            "elb.register_targets(TargetGroupArn=t.tg_arn(), Targets=[{'Id': '10.20.200.9', 'Port': 9000}, {'Id': '10.20.200.1', 'Port': 9001}]); elb.deregister_targets(TargetGroupArn=t.tg_arn(), Targets=[{'Id': '10.20.200.2', 'Port': 9000}])",
        )
        .shows(
            "update targets addresses",
            json!(["10.20.200.1", "10.20.200.1:9001", "10.20.200.9"]),
            json!(["10.20.200.1", "10.20.200.2"]),
        ),
    ]
}

fn of_containers() -> Vec<Drift> {
    vec![
        drift(
            "settings of a cluster",
            "tenants/acme",
            "t.insights()",
            "ecs.update_cluster_settings(cluster=t.cluster_name(), settings=[{'name': 'containerInsights', 'value': 'disabled'}])",
        )
        .shows("update cluster container_insights", json!("disabled"), json!("enabled")),
        drift(
            "capacity providers of a cluster",
            "tenants/acme",
            "t.cluster()['capacityProviders']",
            "ecs.put_cluster_capacity_providers(cluster=t.cluster_name(), capacityProviders=['FARGATE', 'FARGATE_SPOT'], defaultCapacityProviderStrategy=[])",
        )
        .shows("update cluster capacity_providers", json!(["FARGATE", "FARGATE_SPOT"]), json!(["FARGATE"])),
        drift("desired count", "tenants/acme", "t.service()['desiredCount']", "ecs.update_service(cluster=t.cluster_name(), service='acme', desiredCount=3)")
            .shows("update service desired_count", json!(3), json!(1)),
        drift(
            "deployment configuration",
            "tenants/acme",
            "t.service()['deploymentConfiguration']",
            "ecs.update_service(cluster=t.cluster_name(), service='acme', deploymentConfiguration={'minimumHealthyPercent': 0, 'maximumPercent': 100, 'deploymentCircuitBreaker': {'enable': False, 'rollback': False}})",
        )
        .shows("update service minimum_healthy_percent", json!(0), json!(100))
        .shows("update service maximum_percent", json!(100), json!(200))
        .shows("update service circuit_breaker", json!(false), json!(true))
        .shows("update service rollback", json!(false), json!(true)),
        drift(
            "ECS Exec and grace period",
            "tenants/acme",
            "[t.service()['enableExecuteCommand'], t.service()['healthCheckGracePeriodSeconds']]",
            "ecs.update_service(cluster=t.cluster_name(), service='acme', enableExecuteCommand=True, healthCheckGracePeriodSeconds=7)",
        )
        .shows("update service enable_execute_command", json!(true), json!(false))
        .shows("update service health_check_grace_period_seconds", json!(7), json!(60)),
        drift(
            "network of a service",
            "tenants/globex",
            "[sorted(t.network()['subnets']), sorted(t.network()['securityGroups']), t.network()['assignPublicIp']]",
            "ecs.update_service(cluster=t.cluster_name(), service='globex', networkConfiguration={'awsvpcConfiguration': {'subnets': t.network()['subnets'][:1], 'securityGroups': t.network()['securityGroups'] + [Things('plain').group('load-balancer')['GroupId']], 'assignPublicIp': 'ENABLED'}})",
        )
        .shows("update service assign_public_ip", json!(true), json!(false))
        .lists(["update service subnet_ids", "update service security_group_ids"]),
        drift(
            "a service leaves its target group",
            "tenants/initech",
            "[b['containerPort'] for b in t.service()['loadBalancers']]",
            "ecs.update_service(cluster=t.cluster_name(), service='initech', loadBalancers=[])",
        )
        .shows("update service container_name", json!(""), json!("app"))
        .shows("update service container_port", json!(0), json!(8080))
        .lists(["update service target_group_arn"]),
        drift(
            "another revision is deployed",
            "tenants/umbrella",
            "[t.container()['image'], t.environment()]",
            r#"
d = t.definition()
c = d['containerDefinitions']
c[0]['image'] = 'registry.example.com/ad-server:by-hand'
c[0]['environment'].append({'name': 'DEBUG', 'value': '1'})
keys = ('family', 'cpu', 'memory', 'taskRoleArn', 'executionRoleArn', 'networkMode', 'requiresCompatibilities', 'runtimePlatform')
made = ecs.register_task_definition(containerDefinitions=c, **{key: d[key] for key in keys})
ecs.update_service(cluster=t.cluster_name(), service='umbrella', taskDefinition=made['taskDefinition']['taskDefinitionArn'])
"#,
        )
        .shows(
            "update task_definition containers.app.image",
            json!("registry.example.com/ad-server:by-hand"),
            json!("registry.example.com/ad-server:1.0"),
        )
        .shows("update task_definition containers.app.environment.DEBUG", json!("1"), Value::Null)
        .lists(["update service task_definition"]),
        drift(
            "where tasks run",
            "tenants/hooli",
            "t.strategy()",
            "ecs.put_cluster_capacity_providers(cluster=t.cluster_name(), capacityProviders=['FARGATE', 'FARGATE_SPOT'], defaultCapacityProviderStrategy=[]); ecs.update_service(cluster=t.cluster_name(), service='hooli', capacityProviderStrategy=[{'capacityProvider': 'FARGATE_SPOT', 'weight': 1}], forceNewDeployment=True)",
        )
        .shows(
            "update service capacity_provider_strategy",
            json!([{ "base": 0, "capacity_provider": "FARGATE_SPOT", "weight": 1 }]),
            json!([{ "base": 0, "capacity_provider": "FARGATE", "weight": 1 }]),
        )
        .lists(["update cluster capacity_providers"]),
    ]
}

/// Tags of each kind: one changed, one removed.
fn of_tags() -> Vec<Drift> {
    let ec2 = |name, reads, by_hand: &'static str, line: &str| {
        drift(name, "tiers/public", reads, by_hand).shows(&format!("update {line} tags.team"), json!("theirs"), json!("ads")).shows(
            &format!("update {line} tags.owner"),
            Value::Null,
            json!("ann"),
        )
    };
    macro_rules! of_ec2 {
        ($line:literal, $id:literal) => {
            ec2(
                concat!("tags of ", $line),
                concat!("[t.all_tags()['", $line, "'].get(key) for key in ('team', 'owner')]"),
                concat!(
                    "i = ",
                    $id,
                    "; ec2.create_tags(Resources=[i], Tags=[{'Key': 'team', 'Value': 'theirs'}, {'Key': 'of-others', 'Value': 'x'}]); ",
                    "ec2.delete_tags(Resources=[i], Tags=[{'Key': 'owner'}])"
                ),
                $line,
            )
        };
    }
    macro_rules! of_elb {
        ($spec:literal, $line:literal, $reads:literal, $arn:literal) => {
            drift(
                concat!("tags of ", $line),
                $spec,
                $reads,
                concat!(
                    "a = ",
                    $arn,
                    "; elb.add_tags(ResourceArns=[a], Tags=[{'Key': 'team', 'Value': 'theirs'}]); ",
                    "elb.remove_tags(ResourceArns=[a], TagKeys=['owner'])"
                ),
            )
            .shows(concat!("update ", $line, " tags.team"), json!("theirs"), json!("ads"))
            .shows(concat!("update ", $line, " tags.owner"), Value::Null, json!("ann"))
        };
    }
    macro_rules! of_ecs {
        ($kind:literal, $arn:literal) => {
            drift(
                concat!("tags of ", $kind),
                "tenants/guarded",
                concat!("[t.tenant_tags()['", $kind, "'].get(key) for key in ('team', 'owner')]"),
                concat!(
                    "a = ",
                    $arn,
                    "; ecs.tag_resource(resourceArn=a, tags=[{'key': 'team', 'value': 'theirs'}]); ",
                    "ecs.untag_resource(resourceArn=a, tagKeys=['owner'])"
                ),
            )
            .shows(concat!("update ", $kind, " tags.team"), json!("theirs"), json!("ads"))
            .shows(concat!("update ", $kind, " tags.owner"), Value::Null, json!("ann"))
        };
    }
    vec![
        of_ec2!("vpc vpc", "t.vpc_id()"),
        of_ec2!("internet_gateway internet-gateway", "t.gateway()['InternetGatewayId']"),
        of_ec2!("subnet public-us-east-1a", "t.subnet('public-us-east-1a')['SubnetId']"),
        of_ec2!("route_table public", "t.table('public')['RouteTableId']"),
        of_ec2!("security_group tasks", "t.group('tasks')['GroupId']"),
        of_ec2!("vpc_endpoint bidder", "t.endpoint('bidder')['VpcEndpointId']"),
        drift(
            "tags of a role",
            "tiers/public",
            "[t.role('task')['Tags'].get(key) for key in ('team', 'owner')]",
            "r = t.role_name('task'); iam.tag_role(RoleName=r, Tags=[{'Key': 'team', 'Value': 'theirs'}]); iam.untag_role(RoleName=r, TagKeys=['owner'])",
        )
        .shows("update role task tags.team", json!("theirs"), json!("ads"))
        .shows("update role task tags.owner", Value::Null, json!("ann")),
        drift(
            "tags of a log group",
            "tiers/public",
            "[t.log_tags().get(key) for key in ('team', 'owner')]",
            "n = t.log_group_name(); client('logs').tag_log_group(logGroupName=n, tags={'team': 'theirs'}); client('logs').untag_log_group(logGroupName=n, tags=['owner'])",
        )
        .shows("update log_group logs tags.team", json!("theirs"), json!("ads"))
        .shows("update log_group logs tags.owner", Value::Null, json!("ann")),
        of_elb!(
            "tiers/public",
            "load_balancer load-balancer",
            "[t.all_tags()['load_balancer load-balancer'].get(key) for key in ('team', 'owner')]",
            "t.lb_arn()"
        ),
        of_elb!(
            "tiers/public",
            "listener port-443",
            "[t.all_tags()['listener port-443'].get(key) for key in ('team', 'owner')]",
            "t.listener(443)['ListenerArn']"
        ),
        of_elb!("tenants/guarded", "target_group", "[t.tenant_tags()['target_group'].get(key) for key in ('team', 'owner')]", "t.tg_arn()"),
        of_elb!("tenants/guarded", "listener_rule", "[t.tenant_tags()['listener_rule'].get(key) for key in ('team', 'owner')]", "t.rule_arn()"),
        of_ecs!("cluster", "t.cluster()['clusterArn']"),
        of_ecs!("service", "t.service()['serviceArn']"),
    ]
}

/// What is deleted at one time: things that do not need each other.
fn deletions() -> Vec<Vec<Drift>> {
    vec![
        vec![
            drift("an endpoint is deleted", "tiers/plain", "t.endpoints()", "ec2.delete_vpc_endpoints(VpcEndpointIds=[t.endpoint(name)['VpcEndpointId'] for name in ('bidder', 'artifacts')])")
                .lists(["create vpc_endpoint bidder", "create vpc_endpoint artifacts"]),
            drift("a log group is deleted", "tiers/plain", "t.log_group()['logGroupName']", "client('logs').delete_log_group(logGroupName=t.log_group_name())")
                .lists(["create log_group logs"]),
            drift("a role is deleted", "tiers/plain", "t.role_name('execution')", "r = t.role_name('execution'); [iam.detach_role_policy(RoleName=r, PolicyArn=p['PolicyArn']) for p in iam.list_attached_role_policies(RoleName=r)['AttachedPolicies']]; iam.delete_role(RoleName=r)")
                .lists(["create role execution"]),
            drift("a rule is deleted", "tenants/acme", "t.conditions()", "elb.delete_rule(RuleArn=t.rule_arn())").lists(["create listener_rule"]),
            drift("a service is deleted", "tenants/globex", "t.service()['desiredCount']", "ecs.delete_service(cluster=t.cluster_name(), service='globex', force=True)")
                .lists(["create service"]),
            drift(
                "every revision is deregistered",
                "tenants/hooli",
                "t.definition()['status']",
                "[ecs.deregister_task_definition(taskDefinition=arn) for arn in ecs.list_task_definitions(familyPrefix=t.cluster_name())['taskDefinitionArns']]",
            )
            .lists(["create task_definition", "update service task_definition"]),
            drift(
                "a target group and all that leads to it are deleted",
                "tenants/initech",
                "[t.target_group()['Port'], t.conditions(), t.forwards_to_own()]",
                "g = t.tg_arn(); ecs.delete_service(cluster=t.cluster_name(), service='initech', force=True); elb.delete_rule(RuleArn=t.rule_arn()); elb.delete_target_group(TargetGroupArn=g)",
            )
            .lists(["create target_group", "create listener_rule", "create service"]),
            drift("a fleet is deregistered", "tenants/fleet", "t.targets()", "elb.deregister_targets(TargetGroupArn=t.tg_arn(), Targets=[{'Id': f'10.20.200.{n}', 'Port': 9000} for n in (1, 2)])")
                .lists(["create targets"]),
            drift("a listener is deleted", "tiers/public", "t.listeners()", "elb.delete_listener(ListenerArn=t.listener(443)['ListenerArn'])")
                .lists(["create listener port-443", "@guarded create listener_rule"]),
        ],
        vec![
            drift(
                "a cluster is deleted",
                "tenants/umbrella",
                "[t.cluster()['clusterName'], t.service()['runningCount']]",
                "ecs.delete_service(cluster=t.cluster_name(), service='umbrella', force=True); wait(lambda: ecs.delete_cluster(cluster=t.cluster_name()))",
            )
            .lists(["create cluster", "create task_definition", "create service"]),
            drift("a load balancer is deleted", "tiers/public", "[t.lb()['Scheme'], t.listeners()]", "elb.delete_load_balancer(LoadBalancerArn=t.lb_arn())").lists([
                "create load_balancer load-balancer",
                "create listener port-443",
                "create listener port-80",
                "@guarded create listener_rule",
            ]),
            drift(
                "a route table is deleted",
                "tiers/plain",
                "[t.table_subnets('private'), len(t.endpoint_tables('artifacts'))]",
                r#"
ec2.modify_vpc_endpoint(VpcEndpointId=t.endpoint('artifacts')['VpcEndpointId'], RemoveRouteTableIds=[t.table('private')['RouteTableId']])
for a in t.table('private')['Associations']:
    ec2.disassociate_route_table(AssociationId=a['RouteTableAssociationId'])
ec2.delete_route_table(RouteTableId=t.table('private')['RouteTableId'])
"#,
            )
            .lists(["create route_table private", "update vpc_endpoint artifacts route_table_ids"]),
        ],
        // Everything in a VPC, and the VPC.
        vec![
            drift(
                "a network is deleted",
                "tiers/bare",
                "[t.vpc()['CidrBlock'], t.subnets(), t.endpoints(), t.lb()['Scheme'], t.listeners(), t.routes('public')[0]]",
                r#"
elb.delete_load_balancer(LoadBalancerArn=t.lb_arn())
ec2.delete_vpc_endpoints(VpcEndpointIds=[e['VpcEndpointId'] for e in t.ec2_all('describe_vpc_endpoints', 'VpcEndpoints')])
for group in t.ec2_all('describe_security_groups', 'SecurityGroups'):
    for revoke, rules in ((ec2.revoke_security_group_ingress, 'IpPermissions'), (ec2.revoke_security_group_egress, 'IpPermissionsEgress')):
        if group[rules]:
            revoke(GroupId=group['GroupId'], IpPermissions=group[rules])
for group in t.ec2_all('describe_security_groups', 'SecurityGroups'):
    wait(lambda: ec2.delete_security_group(GroupId=group['GroupId']))
for table in t.ec2_all('describe_route_tables', 'RouteTables'):
    for a in table['Associations']:
        ec2.disassociate_route_table(AssociationId=a['RouteTableAssociationId'])
    ec2.delete_route_table(RouteTableId=table['RouteTableId'])
for subnet in t.ec2_all('describe_subnets', 'Subnets'):
    wait(lambda: ec2.delete_subnet(SubnetId=subnet['SubnetId']))
gateway = t.gateway()['InternetGatewayId']
ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=t.vpc_id())
ec2.delete_internet_gateway(InternetGatewayId=gateway)
ec2.delete_vpc(VpcId=t.vpc_id())
"#,
            )
            .lists(["vpc vpc", "internet_gateway internet-gateway", "route_table private", "route_table public"].map(|thing| format!("create {thing}")))
            .lists(["private-us-east-1a", "private-us-east-1b", "public-us-east-1a", "public-us-east-1b"].map(|name| format!("create subnet {name}")))
            .lists(["endpoints-443", "endpoints-8443", "load-balancer", "tasks"].iter().flat_map(|name| {
                ["security_group {}", "security_group_rules {}-ingress", "security_group_rules {}-egress"].map(|form| format!("create {}", form.replace("{}", name)))
            }))
            .lists(["bidder", "logs", "artifacts"].map(|name| format!("create vpc_endpoint {name}")))
            .lists(["load_balancer load-balancer", "listener port-443", "listener port-80"].map(|thing| format!("create {thing}"))),
            drift(
                "a gateway that is not attached",
                "tiers/adrift",
                "len(t.gateway()['Attachments'])",
                "ec2.detach_internet_gateway(InternetGatewayId=t.gateway()['InternetGatewayId'], VpcId=t.vpc_id())",
            )
            .shows("update internet_gateway internet-gateway vpc_id", Value::Null, json!("{adrift-vpc}")),
        ],
    ]
}

const FACTS: &str = r#"
plain, public = Things("plain"), Things("public")
result = {
    "tasks-group": plain.group("tasks")["GroupId"], "balancer-group": plain.group("load-balancer")["GroupId"],
    "private-table": plain.table("private")["RouteTableId"], "gateway": public.gateway()["InternetGatewayId"],
    "adrift-vpc": Things("adrift").vpc_id(),
}
"#;

fn scene() -> Scene {
    let mut scene = fields::scene();
    let internet_facing = json!({ "scheme": "internet-facing", "allow": ["0.0.0.0/0"], "certificate": "{certificate}" });
    let role = json!({ "statements": [{ "effect": "Allow", "actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::one/*"] }] });
    let mut plain = tier("plain", "10.20.0.0/16");
    plain["roles"] = json!({
        "task": role,
        "execution": { "managed_policies": ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"] },
    });
    plain["monitoring"] = json!({ "log_retention_days": 30, "container_insights": "enabled" });
    plain["downstreams"][1]["private_dns"] = json!(true);
    plain["downstreams"][2]["policy"] =
        json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" }] });
    plain["cells"][0]["infra_groups"][0]["vpc"]["zones"] = json!(["us-east-1a", "us-east-1b", "us-east-1c"]);
    plain["cells"][0]["infra_groups"][0]["load_balancer"] = json!({ "idle_timeout": 90 });
    let mut public = tier("public", "10.21.0.0/16");
    public["tags"] = json!({ "team": "ads", "owner": "ann" });
    public["roles"] = json!({ "task": role, "execution": { "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess" } });
    public["monitoring"] = json!({ "log_retention_days": 30 });
    public["cells"][0]["infra_groups"][0]["load_balancer"] = internet_facing.clone();
    let mut bare = tier("bare", "10.22.0.0/16");
    bare["cells"][0]["infra_groups"][0]["load_balancer"] = internet_facing.clone();
    let mut adrift = tier("adrift", "10.23.0.0/16");
    adrift["cells"][0]["infra_groups"][0]["load_balancer"] = internet_facing;

    let mut acme = tenant("acme", "plain");
    for (field, value) in [
        ("health_check", json!({ "path": "/healthz", "matcher": "200" })),
        ("deregistration_delay", json!(30)),
        ("stickiness", json!({ "enabled": false })),
        ("desired", json!(1)),
        ("health_check_grace_period", json!(60)),
    ] {
        acme["service"][field] = value;
    }
    let mut fleet = tenant("fleet", "plain");
    fleet.as_object_mut().unwrap().remove("service");
    fleet["targets"] = json!({ "port": 9000, "addresses": ["10.20.200.1", "10.20.200.2"] });
    let specs = [
        ("tiers/plain", plain),
        ("tiers/public", public),
        ("tiers/bare", bare),
        ("tiers/adrift", adrift),
        ("tiers/guest", fields::guest()),
        ("tenants/acme", acme),
        ("tenants/globex", tenant("globex", "plain")),
        ("tenants/initech", tenant("initech", "plain")),
        ("tenants/umbrella", tenant("umbrella", "plain")),
        ("tenants/hooli", tenant("hooli", "plain")),
        ("tenants/fleet", fleet),
        ("tenants/guarded", tenant("guarded", "public")),
        ("tenants/visitor", tenant("visitor", "guest")),
    ];
    scene.specs.extend(specs.map(|(name, spec)| (name.to_string(), spec)));
    scene.write();
    scene.make_real();
    scene.is_real();
    scene.prepare(FACTS);
    scene
}

/// Does all of it by hand, looks at the plan, and has it put right.
fn puts_right(scene: &Scene, rows: &[Drift]) {
    let expressions: Vec<(&str, &str)> = rows.iter().map(|row| (row.spec, row.reads)).collect();
    let before = scene.read(&expressions);
    by_hand(scene, rows);
    let changed = scene.read(&expressions);
    let plan = scene.project.plan().ended(0);
    let mut wrong: Vec<String> = misplanned(scene, rows, &plan);
    for ((row, before), changed) in rows.iter().zip(&before).zip(&changed) {
        if before.as_str().is_some_and(|text| text.contains("Error: ")) || before == changed {
            wrong.push(format!("{}: changed nothing: {} was {before} and is {changed}", row.name, row.reads));
        }
    }
    scene.make_real();
    scene.is_real();
    for ((row, before), after) in rows.iter().zip(&before).zip(scene.read(&expressions)) {
        if *before != after {
            wrong.push(format!("{}: is not put right: {}\n     was {before}\n      is {after}", row.name, row.reads));
        }
    }
    assert_right(&wrong);
}

fn by_hand(scene: &Scene, rows: &[Drift]) {
    let steps: Vec<Value> = rows
        .iter()
        .map(|row| {
            let spec = &scene.specs[row.spec];
            json!([row.name, spec["tier"], spec["tenant"], row.by_hand])
        })
        .collect();
    let steps = serde_json::to_string(&serde_json::to_string(&steps).unwrap()).unwrap();
    scene.python(&format!(
        r#"
import time
ec2, elb, ecs, iam = client("ec2"), client("elbv2"), client("ecs"), client("iam")
def wait(call):
    for _ in range(100):
        try:
            return call()
        except Exception as error:
            last = error
            time.sleep(0.05)
    raise last
for name, tier, tenant, step in json.loads({steps}):
    try:
        exec(step, globals() | {{"t": Things(tier, tenant)}})
    except Exception as error:
        raise RuntimeError(name) from error
"#
    ));
}

fn misplanned(scene: &Scene, rows: &[Drift], plan: &crate::project::Run) -> Vec<String> {
    let (shown, values) = (lines(plan), values(plan));
    let mut wrong = Vec::new();
    let mut expected = BTreeSet::new();
    for row in rows {
        for (line, both) in &row.shows {
            expected.insert(line.clone());
            if !shown.contains(line) {
                wrong.push(format!("{}: the plan does not show `{line}`", row.name));
                continue;
            }
            let Some((before, after)) = both else { continue };
            let wanted = (scene.filled_value(before), scene.filled_value(after));
            if values.get(line) != Some(&wanted) {
                wrong.push(format!("{}: `{line}`\n   shows {:?}\n  wanted {wanted:?}", row.name, values.get(line)));
            }
        }
    }
    wrong.extend(shown.difference(&expected).map(|line| format!("nobody did `{line}`")));
    wrong
}

#[test]
fn what_is_changed_by_hand_is_put_right() {
    let scene = scene();
    let rows: Vec<Drift> = [of_network(), of_roles_and_logs(), of_load_balancing(), of_containers()].into_iter().flatten().collect();
    puts_right(&scene, &rows);
    puts_right(&scene, &of_tags());
    // Tags of others are theirs.
    let theirs = scene.read(&[("tiers/public", "t.all_tags()['vpc vpc'].get('of-others')")]);
    assert_eq!(theirs, [json!("x")]);
}

#[test]
fn what_is_deleted_by_hand_is_made_again() {
    let scene = scene();
    for rows in deletions() {
        puts_right(&scene, &rows);
    }
}

#[test]
fn a_health_check_has_awss_defaults_where_the_spec_says_nothing() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let check = |matcher: &str, interval: u64| {
        let found = all(&standing(&account), "targetgroups");
        assert_eq!(
            (found[0]["Matcher"]["HttpCode"].as_str(), found[0]["HealthCheckIntervalSeconds"].as_u64()),
            (Some(matcher), Some(interval))
        );
    };
    check("200", 30);
    project.edit(
        "tenants/test/acme.yaml",
        "  desired: 1\n",
        "  desired: 1\n  health_check: {path: /old, matcher: \"404\", interval: 77}\n",
    );
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    check("404", 77);
    project.edit("tenants/test/acme.yaml", "{path: /old, matcher: \"404\", interval: 77}", "{path: /}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    check("200", 30);
    bed().boto(&account, r#"[aws("elbv2").modify_target_group(TargetGroupArn=g["TargetGroupArn"], HealthCheckIntervalSeconds=99) for g in aws("elbv2").describe_target_groups()["TargetGroups"]]"#);
    project.edit("tenants/test/acme.yaml", "  health_check: {path: /}\n", "");
    let plan = project.run(&["plan", "--detailed-exitcode"]).ended(2);
    plan.says("health_check.health_check_interval_seconds: 99 -> 30");
}
