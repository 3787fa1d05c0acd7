//! The containers of a tenant's task: ports, environment, secrets and sidecars.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>

use std::collections::BTreeMap;

use crate::spec::arn::Arn;
use crate::spec::diagnostic::Findings;
use crate::spec::located::{Located, Origin};
use crate::spec::model::{Service, Sidecar};

use super::{Tenant, Tier, repeated};

/// The container that `service` describes.
const MAIN: &str = "app";
/// Set by tierctl on every container.
const OURS: [&str; 4] = ["TENANT_ID", "TIER", "CELL", "INFRA_GROUP"];
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
const MOST_CONTAINERS: usize = 10;

type Variables = BTreeMap<Located<String>, Located<String>>;

pub(super) fn tenant(tenant: &Tenant, tier: Option<&Tier>, findings: &mut Findings) {
    let spec = &tenant.spec;
    match (&spec.service, &spec.targets) {
        (None, None) => findings.push(tenant.error(
            "no-service",
            spec.tenant.origin(),
            format!("the tenant `{}` has neither `service` nor `targets`", *spec.tenant),
            "give `service` for tasks that ECS runs, or `targets` for a fleet that is registered by address",
        )),
        (Some(service), Some(targets)) => {
            let finding = tenant.error(
                "no-service",
                targets.origin(),
                "a tenant has `service` or `targets`, not both",
                "keep `service` for tasks that ECS runs, or `targets` for a fleet that is registered by address",
            );
            findings.push(finding.related(&tenant.source, service.origin(), "`service` is here"));
        }
        _ => {}
    }
    if let (None, Some(_), Some((name, _))) = (&spec.service, &spec.targets, spec.environment.first_key_value()) {
        findings.push(tenant.error(
            "bad-environment",
            name.origin(),
            "`environment` is for the containers of a `service`, and this tenant has none",
            "remove it: a fleet that is registered by address has its own",
        ));
    }
    let port = spec.service.as_ref().map(|service| &service.port).or(spec.targets.as_ref().map(|targets| &targets.port));
    if let (Some(port), Some(tier)) = (port, tier) {
        port_is_open(tenant, tier, port, findings);
    }
    let Some(service) = &spec.service else { return };
    variables(tenant, &spec.environment, &service.secrets, findings);
    image(tenant, &service.image, findings);
    if let Some(desired) = &service.desired
        && i32::try_from(**desired).is_err()
    {
        let message = format!("{} tasks are more than ECS can count", **desired);
        findings.push(tenant.error("bad-number", desired.origin(), message, "write a number of at most 2147483647"));
    } else if let Some(desired) = &service.desired
        && **desired > 1000
    {
        let message = format!("{} tasks are more than the 1,000 targets that a load balancer takes by default", **desired);
        findings.push(tenant.warning("quota", desired.origin(), message, "have the quotas L-7E6692B2 and L-A0D0B863 raised first"));
    }
    sidecars(tenant, service, findings);
}

fn port_is_open(tenant: &Tenant, tier: &Tier, port: &Located<u16>, findings: &mut Findings) {
    let ports = &tier.spec.tenants.ports;
    let [first, last] = **ports;
    if first <= last && !(first..=last).contains(&**port) {
        let message = format!("port {} is outside of what the tier opens to its tenants, {first} to {last}", **port);
        let finding = tenant.error(
            "bad-port",
            port.origin(),
            message,
            format!("listen on a port from {first} to {last}, or widen `tenants.ports` of the tier"),
        );
        findings.push(match ports.origin() {
            Origin::Unplaced => finding,
            origin => finding.related(&tier.source, origin, "the tier's ports"),
        });
    }
}

fn image(tenant: &Tenant, image: &Located<String>, findings: &mut Findings) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:./#@+".contains(&byte);
    if !(1..=255).contains(&image.len()) || !image.bytes().all(allowed) {
        findings.push(tenant.error(
            "bad-image",
            image.origin(),
            format!("`{}` is not the name of an image", **image),
            "write it as REPOSITORY:TAG or REPOSITORY@DIGEST",
        ));
    }
}

fn variables(tenant: &Tenant, environment: &Variables, secrets: &Variables, findings: &mut Findings) {
    for name in environment.keys().chain(secrets.keys()) {
        if OURS.contains(&name.as_str()) {
            let message = format!("`{}` cannot be set: tierctl sets it for every task", **name);
            findings.push(tenant.error("reserved-name", name.origin(), message, "choose another name"));
        } else if name.is_empty()
            || name.contains(|character: char| character == '=' || character.is_whitespace() || character.is_control())
        {
            let message = format!("`{}` cannot be the name of an environment variable", **name);
            findings.push(tenant.error("bad-environment", name.origin(), message, "use letters, digits and `_`"));
        }
    }
    for (name, secret) in secrets {
        if let Some((plain, _)) = environment.get_key_value(name) {
            let message = format!("`{}` is set by `environment` and by `secrets`", **name);
            let finding = tenant.error("duplicate", name.origin(), message, "keep one of the two");
            findings.push(finding.related(&tenant.source, plain.origin(), "also set here"));
        }
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
        let sound = Arn::parse(secret).is_some_and(|arn| {
            (arn.service == "secretsmanager" && arn.resource.starts_with("secret:"))
                || (arn.service == "ssm" && arn.resource.starts_with("parameter/"))
        });
        if !sound {
            findings.push(tenant.error(
                "bad-secret",
                secret.origin(),
                format!("`{}` is not given by the ARN of a secret or parameter", **name),
                "write `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME` or `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`; never the secret itself",
            ));
        }
    }
}

fn sidecars(tenant: &Tenant, service: &Service, findings: &mut Findings) {
    let sidecars = &service.sidecars;
    for sidecar in sidecars {
        let name = &sidecar.name;
        if **name == MAIN {
            let message = format!("`{MAIN}` is the name of the tenant's own container");
            findings.push(tenant.error("duplicate", name.origin(), message, "give the sidecar another name"));
        } else if !(1..=255).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            let message = format!("`{}` cannot be the name of a container", **name);
            findings.push(tenant.error("bad-name", name.origin(), message, "use letters, digits, `_` and `-`"));
        }
        image(tenant, &sidecar.image, findings);
        variables(tenant, &sidecar.environment, &sidecar.secrets, findings);
    }
    for (name, first) in repeated(sidecars.iter().map(|sidecar| &sidecar.name)) {
        let message = format!("two sidecars are called `{}`", **name);
        findings.push(tenant.error("duplicate", name.origin(), message, "give each its own name").related(
            &tenant.source,
            first.origin(),
            "first here",
        ));
    }
    let ports = std::iter::once(&service.port).chain(sidecars.iter().filter_map(|sidecar| sidecar.port.as_ref()));
    for (port, first) in repeated(ports) {
        let message = format!("two containers of the task listen on port {}", **port);
        let remedy = "give each its own port: they share one network interface";
        findings.push(tenant.error("duplicate", port.origin(), message, remedy).related(&tenant.source, first.origin(), "first here"));
    }
    if let Some(over) = sidecars.get(MOST_CONTAINERS - 1) {
        let message = format!("{} containers are more than the {MOST_CONTAINERS} that a task takes", sidecars.len() + 1);
        findings.push(tenant.error("quota", over.name.origin(), message, "remove some sidecars"));
    }
    share(tenant, "CPU units", &service.cpu, sidecars, |sidecar| sidecar.cpu.as_ref(), findings);
    share(tenant, "MiB", &service.memory, sidecars, |sidecar| sidecar.memory.as_ref(), findings);
}

/// What sidecars take comes out of the task's and leaves something for the tenant's own container.
fn share<'a>(
    tenant: &Tenant,
    unit: &str,
    whole: &Located<u32>,
    sidecars: &'a [Sidecar],
    part: impl Fn(&'a Sidecar) -> Option<&'a Located<u32>>,
    findings: &mut Findings,
) {
    let parts: Vec<_> = sidecars.iter().filter_map(part).collect();
    let sum: u64 = parts.iter().map(|part| u64::from(***part)).sum();
    if let Some(last) = parts.last()
        && sum >= u64::from(**whole)
    {
        let message = format!("the sidecars take {sum} {unit} out of the task's {}, which leaves none for the tenant", **whole);
        let finding = tenant.error("sidecar-size", last.origin(), message, "give the task more, or the sidecars less");
        findings.push(finding.related(&tenant.source, whole.origin(), "the task's"));
    }
}
