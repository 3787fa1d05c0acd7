//! Keys of the one kind of spec in the other: who owns what.

type Advice = (&'static str, String, String);

/// What to say about a key of a tenant spec that only a tier has.
pub(in crate::spec) fn in_a_tenant(key: &str) -> Option<Advice> {
    let (thing, home) = match key {
        "downstream" | "downstreams" | "endpoint" | "endpoints" | "vpc_endpoint" | "vpc_endpoints" | "privatelink" => {
            ("an endpoint", "`downstreams` of the tier")
        }
        "role"
        | "roles"
        | "task_role"
        | "execution_role"
        | "role_arn"
        | "iam"
        | "policy"
        | "policies"
        | "statements"
        | "managed_policies"
        | "permissions"
        | "permissions_boundary" => ("a role", "`roles` of the tier"),
        "security_group" | "security_groups" | "egress" | "ingress" | "firewall" => {
            ("a security group", "`egress` or `downstreams` of the tier")
        }
        "vpc" | "subnet" | "subnets" | "network" | "zones" | "cidr" | "route_tables" => ("a network", "`vpc` of the tier's infra group"),
        "load_balancer" | "listener" | "certificate" | "ssl_policy" => ("a load balancer", "`load_balancer` of the tier's infra group"),
        "cells" | "cell" | "account" | "region" | "infra_groups" | "assume_role" => ("a cell", "`cells` of the tier"),
        "monitoring" | "log_retention_days" | "container_insights" => ("monitoring", "`monitoring` of the tier"),
        _ => return None,
    };
    let message = format!("a tenant cannot declare {thing}: dependencies belong to the tier (`{key}`)");
    let remedy = format!("move it to {home}, where it is made once per infra group for every tenant, and run `tierctl apply`");
    Some(("tier-owned", message, remedy))
}

/// What to say about a key of a tier spec that only a tenant has.
pub(in crate::spec) fn in_a_tier(key: &str) -> Option<Advice> {
    let known =
        matches!(key, "service" | "targets" | "image" | "cpu" | "memory" | "environment" | "placement" | "route" | "sidecars" | "desired");
    known.then(|| {
        let message = format!("`{key}` belongs to a tenant, not to the tier");
        let remedy = "write a spec for the tenant: `tenant`, `tier` and `service` or `targets`".to_owned();
        ("tenant-owned", message, remedy)
    })
}
