//! Sizes of tasks on Fargate, and capacity providers.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size>

use crate::spec::diagnostic::Findings;
use crate::spec::located::Located;
use crate::spec::model::{CapacityProvider, Service};

use super::{Tenant, repeated};

pub(super) fn tenant(tenant: &Tenant, findings: &mut Findings) {
    let Some(service) = &tenant.spec.service else { return };
    let providers = service.capacity_providers.as_ref();
    providers.iter().for_each(|providers| self::providers(tenant, providers, findings));
    let fargate = providers.is_none_or(|providers| providers.iter().any(is_fargate));
    if fargate {
        size(tenant, service, findings);
    } else if let Some(storage) = &service.ephemeral_storage {
        findings.push(tenant.error(
            "bad-capacity",
            storage.origin(),
            "`ephemeral_storage` is Fargate's, and this service runs on other capacity",
            "remove it: on your own instances the scratch disk is the instance's",
        ));
    }
}

fn is_fargate(provider: &CapacityProvider) -> bool {
    matches!(provider.name.as_str(), "FARGATE" | "FARGATE_SPOT")
}

/// The memory that goes with a number of CPU units: least, most and step in MiB. 256 units are off the pattern: they
/// take 512, 1024 and 2048.
fn memory_for(cpu: u32) -> Option<(u32, u32, u32)> {
    match cpu {
        256 => Some((512, 2048, 512)),
        512 => Some((1024, 4096, 1024)),
        1024 => Some((2048, 8192, 1024)),
        2048 => Some((4096, 16384, 1024)),
        4096 => Some((8192, 30720, 1024)),
        8192 => Some((16384, 61440, 4096)),
        16384 => Some((32768, 122_880, 8192)),
        _ => None,
    }
}

fn pair_is_known(cpu: u32, memory: u32) -> bool {
    memory_for(cpu)
        .is_some_and(|(least, most, step)| (least..=most).contains(&memory) && memory.is_multiple_of(step) && (cpu, memory) != (256, 1536))
}

fn size(tenant: &Tenant, service: &Service, findings: &mut Findings) {
    let (cpu, memory) = (&service.cpu, &service.memory);
    let Some((least, most, step)) = memory_for(**cpu) else {
        findings.push(tenant.error(
            "fargate-size",
            cpu.origin(),
            format!("Fargate has no tasks of {} CPU units", **cpu),
            "choose 256, 512, 1024, 2048, 4096, 8192 or 16384; 1024 is one vCPU",
        ));
        return;
    };
    if !pair_is_known(**cpu, **memory) {
        let choices = if **cpu == 256 { "512, 1024 or 2048".to_owned() } else { format!("{least} to {most} in steps of {step}") };
        let finding = tenant.error(
            "fargate-size",
            memory.origin(),
            format!("Fargate has no tasks of {} CPU units and {} MiB", **cpu, **memory),
            format!("with `cpu: {}`, choose `memory` from {choices}", **cpu),
        );
        findings.push(finding.related(&tenant.source, cpu.origin(), "the CPU units"));
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
fn providers(tenant: &Tenant, providers: &Located<Vec<CapacityProvider>>, findings: &mut Findings) {
    for (name, first) in repeated(providers.iter().map(|provider| &provider.name)) {
        let message = format!("the capacity provider `{}` stands here twice", **name);
        findings.push(tenant.error("duplicate", name.origin(), message, "remove one").related(
            &tenant.source,
            first.origin(),
            "first here",
        ));
    }
    for provider in providers.iter().filter(|provider| !is_fargate(provider)) {
        let name = &provider.name;
        let text = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let lower = name.to_lowercase();
        if !(1..=255).contains(&name.len())
            || !name.bytes().all(text)
            || ["aws", "ecs", "fargate"].iter().any(|word| lower.starts_with(word))
        {
            let message = format!("`{}` cannot be a capacity provider", **name);
            let remedy = "write `FARGATE`, `FARGATE_SPOT`, or the name of one of the account's: letters, digits, `_` and `-`";
            findings.push(tenant.error("bad-capacity", name.origin(), message, remedy));
        }
    }
    let (fargate, own): (Vec<_>, Vec<_>) = providers.iter().partition(|provider| is_fargate(provider));
    if let (Some(fargate), Some(own)) = (fargate.first(), own.first()) {
        let message = format!("`{}` and `{}` cannot be mixed", *fargate.name, *own.name);
        let finding = tenant.error(
            "bad-capacity",
            own.name.origin(),
            message,
            "a service runs on Fargate or on the account's capacity providers, not on both",
        );
        findings.push(finding.related(&tenant.source, fargate.name.origin(), "Fargate"));
    }
    let based: Vec<_> = providers.iter().filter_map(|provider| provider.base.as_ref()).filter(|base| ***base > 0).collect();
    if let [first, second, ..] = based[..] {
        let finding =
            tenant.error("bad-capacity", second.origin(), "two capacity providers have a `base`", "keep one `base`: ECS takes only one");
        findings.push(finding.related(&tenant.source, first.origin(), "first here"));
    }
    if !providers.is_empty()
        && providers.iter().all(|provider| provider.weight.as_deref() == Some(&0))
        && let Some(weight) = providers.last().and_then(|provider| provider.weight.as_ref())
    {
        let remedy = "give at least one a `weight` above 0, or no task would have a place to run";
        findings.push(tenant.error("bad-capacity", weight.origin(), "every capacity provider has the weight 0", remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_the_aws_table() {
        let known = [(256, 512), (256, 2048), (512, 4096), (1024, 3072), (4096, 30720), (8192, 20480), (16384, 122_880)];
        let unknown =
            [(256, 1536), (256, 4096), (512, 512), (1024, 2500), (4096, 31744), (8192, 18432), (16384, 36864), (128, 512), (0, 0)];
        for (cpu, memory) in known {
            assert!(pair_is_known(cpu, memory), "{cpu} {memory}");
        }
        for (cpu, memory) in unknown {
            assert!(!pair_is_known(cpu, memory), "{cpu} {memory}");
        }
    }
}
