//! Fleets that are registered by address.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-type>

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::spec::diagnostic::Findings;
use crate::spec::located::Located;

use super::network::block;
use super::{Tenant, Tier, homes, repeated};

/// Beside its VPC's own blocks, a load balancer takes addresses of these.
const PRIVATE: [([u8; 4], u8); 4] = [([10, 0, 0, 0], 8), ([100, 64, 0, 0], 10), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)];

pub(super) fn tenant(tenant: &Tenant, tier: Option<&Tier>, findings: &mut Findings) {
    let Some(targets) = &tenant.spec.targets else { return };
    for (address, first) in repeated(targets.addresses.iter()) {
        let message = format!("the address `{}` stands here twice", **address);
        findings.push(tenant.error("duplicate", address.origin(), message, "remove one").related(
            &tenant.source,
            first.origin(),
            "first here",
        ));
    }
    if let Some(over) = targets.addresses.get(1000) {
        let message =
            format!("{} addresses are more than the 1,000 targets that a load balancer takes by default", targets.addresses.len());
        findings.push(tenant.warning("quota", over.origin(), message, "have the quotas L-7E6692B2 and L-A0D0B863 raised first"));
    }
    let mut addresses = Vec::new();
    for written in targets.addresses.iter() {
        match written.parse::<Ipv4Addr>() {
            Ok(address) => addresses.push((written, address)),
            Err(_) => findings.push(tenant.error(
                "bad-address",
                written.origin(),
                format!("`{}` is not an IPv4 address", **written),
                "write four numbers, as `10.20.1.15`: load balancers register addresses, not names or blocks",
            )),
        }
    }
    if let Some(tier) = tier {
        reach(tenant, tier, &addresses, findings);
    }
}

fn reach(tenant: &Tenant, tier: &Tier, addresses: &[(&Located<String>, Ipv4Addr)], findings: &mut Findings) {
    // None for another team's VPC, whose block only AWS knows.
    let blocks: Vec<Option<Ipv4Net>> =
        homes(&tenant.spec, &tier.spec).map(|(_, group)| group.vpc.cidr.as_ref().and_then(|cidr| block(cidr).ok())).collect();
    if blocks.is_empty() || blocks.contains(&None) {
        return;
    }
    let holds = |block: &Option<Ipv4Net>, address: &Ipv4Addr| block.is_some_and(|block| block.contains(address));
    for (written, address) in addresses {
        if !is_private(*address) && !blocks.iter().any(|block| holds(block, address)) {
            let message = format!("`{}` cannot be registered: it is neither in the VPC nor private", **written);
            findings.push(tenant.error(
                "bad-address",
                written.origin(),
                message,
                "name an address of the infra group's VPC, or one of 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 and 192.168.0.0/16",
            ));
        }
    }
    // Without a placement the addresses decide, so one VPC has to hold them all.
    let one_holds_all = blocks.iter().any(|block| addresses.iter().all(|(_, address)| holds(block, address)));
    if let (None, false, Some((first, _))) = (&tenant.spec.placement, one_holds_all, addresses.first()) {
        findings.push(tenant.error(
            "no-placement",
            first.origin(),
            format!("no infra group of `{}` holds these addresses, so the tenant's place cannot be told from them", *tier.spec.tier),
            "add `placement: {cell: …, infra_group: …}` with the infra group whose load balancer is to reach them",
        ));
    }
}

fn is_private(address: Ipv4Addr) -> bool {
    PRIVATE.iter().any(|(start, length)| Ipv4Net::new(Ipv4Addr::from(*start), *length).is_ok_and(|block| block.contains(&address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_blocks_are_those_of_the_aws_page() {
        for yes in ["10.255.0.1", "100.64.0.1", "172.31.0.1", "192.168.1.1"] {
            assert!(yes.parse().is_ok_and(is_private), "{yes}");
        }
        for no in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "169.254.169.254", "127.0.0.1"] {
            assert!(no.parse().is_ok_and(|address| !is_private(address)), "{no}");
        }
    }
}
