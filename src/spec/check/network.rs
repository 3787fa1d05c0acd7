//! VPCs, their blocks and zones, and the destinations of `egress`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::spec::arn::{is_region, is_resource_id};
use crate::spec::diagnostic::Findings;
use crate::spec::located::Located;
use crate::spec::model::{Cell, InfraGroup, Vpc};

use super::{Tier, infra_groups, region_of, repeated};

/// The VPC is cut into 16 blocks, private ones from the first and public ones from the last.
const MOST_ZONES: usize = 8;

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    for cell in &tier.spec.cells {
        for group in &cell.infra_groups {
            vpc(tier, cell, &group.vpc, findings);
        }
    }
    egress(tier, findings);
}

fn vpc(tier: &Tier, cell: &Cell, vpc: &Located<Vpc>, findings: &mut Findings) {
    match (&vpc.cidr, &vpc.id) {
        (None, None) => findings.push(tier.error(
            "bad-vpc",
            vpc.origin(),
            "`vpc` has neither `cidr` nor `id`",
            "give `cidr` and `zones` to make a VPC, or `id` and `subnets` to use another team's",
        )),
        (Some(cidr), Some(id)) => {
            let finding = tier.error(
                "bad-vpc",
                id.origin(),
                "`vpc` has both `cidr` and `id`",
                "keep `cidr` to make a VPC, or `id` to use another team's",
            );
            findings.push(finding.related(&tier.source, cidr.origin(), "`cidr` makes a VPC"));
        }
        (Some(cidr), None) => made(tier, cell, vpc, cidr, findings),
        (None, Some(id)) => used(tier, vpc, id, findings),
    }
}

/// A VPC to make.
fn made(tier: &Tier, cell: &Cell, vpc: &Vpc, cidr: &Located<String>, findings: &mut Findings) {
    if let Err((message, remedy)) = vpc_block(cidr) {
        findings.push(tier.error("bad-cidr", cidr.origin(), message, remedy));
    }
    for (key, ids) in [("subnets", &vpc.subnets), ("route_tables", &vpc.route_tables)] {
        if let Some(first) = ids.first() {
            findings.push(tier.error(
                "bad-vpc",
                first.origin(),
                format!("`{key}` goes with another team's VPC (`id`), and this one is made (`cidr`)"),
                format!("remove `{key}`: those of a made VPC are made with it"),
            ));
        }
    }
    let region = region_of(&tier.spec, cell);
    for zone in &vpc.zones {
        if is_region(region) && !is_zone_of(zone, region) {
            let remedy = if zone.contains("-az") {
                format!("write the zone's name, as `{}a`; ids (`{}`) are for comparing accounts", **region, **zone)
            } else {
                format!("write a zone of the cell's Region, as `{}a`", **region)
            };
            let finding = tier.error("bad-zone", zone.origin(), format!("`{}` is not a zone of {}", **zone, **region), remedy);
            findings.push(finding.related(&tier.source, region.origin(), "the cell's Region"));
        }
    }
    for (zone, first) in repeated(&vpc.zones) {
        let finding = tier.error("duplicate", zone.origin(), format!("the zone `{}` stands here twice", **zone), "remove one");
        findings.push(finding.related(&tier.source, first.origin(), "first here"));
    }
    // An Application Load Balancer needs two zones.
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
    let known = !vpc.zones.iter().any(Located::is_stand_in);
    if known && !(2..=MOST_ZONES).contains(&vpc.zones.len()) {
        findings.push(tier.error(
            "bad-zones",
            cidr.origin(),
            format!("a VPC takes 2 to {MOST_ZONES} zones, and this one has {}", vpc.zones.len()),
            format!("list them, as `zones: [{0}a, {0}b]`: a load balancer needs two", **region),
        ));
    }
}

/// A VPC of another team.
fn used(tier: &Tier, vpc: &Vpc, id: &Located<String>, findings: &mut Findings) {
    if let Some(zone) = vpc.zones.first() {
        findings.push(tier.error(
            "bad-vpc",
            zone.origin(),
            "`zones` goes with a VPC to make (`cidr`), and this one is another team's (`id`)",
            "remove `zones`: the subnets tell",
        ));
    }
    let ids = [("vpc", "VPC", std::slice::from_ref(id)), ("subnet", "subnet", &vpc.subnets), ("rtb", "route table", &vpc.route_tables)];
    for (prefix, what, ids) in ids {
        for id in ids.iter().filter(|id| !is_resource_id(id, prefix)) {
            findings.push(tier.error(
                "bad-id",
                id.origin(),
                format!("`{}` is not the id of a {what}", **id),
                format!("write it as AWS shows it, as `{prefix}-0a1b2c3d4e5f60718`"),
            ));
        }
        for (id, first) in repeated(ids) {
            let finding = tier.error("duplicate", id.origin(), format!("the {what} `{}` stands here twice", **id), "remove one");
            findings.push(finding.related(&tier.source, first.origin(), "first here"));
        }
    }
    if vpc.subnets.len() < 2 && !vpc.subnets.iter().any(Located::is_stand_in) {
        findings.push(tier.error(
            "bad-vpc",
            id.origin(),
            format!("another team's VPC needs at least two `subnets`, not {}", vpc.subnets.len()),
            "list a subnet in each of two zones or more: the load balancer needs two",
        ));
    }
    let gateway = tier.spec.downstreams.iter().find(|downstream| *downstream.gateway);
    if let (Some(gateway), []) = (gateway, vpc.route_tables.as_slice()) {
        let finding = tier.error(
            "bad-vpc",
            id.origin(),
            format!("`{}` is a gateway endpoint, which adds routes, and no `route_tables` of this VPC are named", *gateway.name),
            "list the `route_tables` that may get its routes; naming them is the consent to change them",
        );
        findings.push(finding.related(&tier.source, gateway.name.origin(), "the gateway endpoint"));
    }
}

/// A block that a VPC can have and that 16 subnets fit in.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
fn vpc_block(text: &str) -> Result<Ipv4Net, (String, String)> {
    let net = block(text)?;
    let size = net.prefix_len();
    if size < 16 {
        return Err((format!("`{text}` is larger than a VPC may be"), "choose a block from /16 to /22".to_owned()));
    }
    if size > 22 {
        return Err((format!("`{text}` is too small for 16 subnets"), "choose a block from /16 to /22".to_owned()));
    }
    let address = net.addr();
    if address.is_loopback() || address.is_link_local() || address.is_multicast() || address.octets()[0] == 0 || address.octets()[0] >= 240
    {
        let remedy = "choose a private block, out of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16";
        return Err((format!("`{text}` is reserved and cannot be a VPC's"), remedy.to_owned()));
    }
    Ok(net)
}

/// An IPv4 block that starts where it says it starts.
pub(super) fn block(text: &str) -> Result<Ipv4Net, (String, String)> {
    match text.parse::<IpNet>() {
        Ok(IpNet::V4(net)) if net.trunc() == net => Ok(net),
        Ok(IpNet::V4(net)) => Err((
            format!("`{text}` does not start at a block's first address"),
            format!("did you mean `{}`, or the one address `{}/32`?", net.trunc(), net.addr()),
        )),
        Ok(IpNet::V6(_)) => Err((format!("`{text}` is an IPv6 block, and tierctl is about IPv4"), "write an IPv4 block".to_owned())),
        Err(_) => {
            let remedy = match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => format!("add the length of the block, as `{address}/32` for the one address"),
                _ => "write an IPv4 block, as `10.20.0.0/16`".to_owned(),
            };
            Err((format!("`{text}` is not a CIDR block"), remedy))
        }
    }
}

/// `us-east-1a`: the Region and one letter. Local and Wavelength Zones have no PrivateLink.
fn is_zone_of(zone: &str, region: &str) -> bool {
    zone.strip_prefix(region).is_some_and(|rest| matches!(rest.as_bytes(), [b'a'..=b'z']))
}

fn egress(tier: &Tier, findings: &mut Findings) {
    let mut seen = std::collections::BTreeMap::new();
    for entry in &tier.spec.egress {
        let destinations: Vec<(&str, &Located<String>)> =
            [("cidr", &entry.cidr), ("prefix_list", &entry.prefix_list), ("security_group", &entry.security_group)]
                .into_iter()
                .filter_map(|(key, value)| value.as_ref().map(|value| (key, value)))
                .collect();
        let [(_, destination)] = destinations[..] else {
            let keys: Vec<&str> = destinations.iter().map(|(key, _)| *key).collect();
            findings.push(tier.error(
                "bad-egress",
                destinations.last().map_or(entry.port.origin(), |(_, value)| value.origin()),
                format!("an item of `egress` needs exactly one destination, and this has {}", crate::spec::spelling::none_or_list(keys)),
                "give one of `cidr`, `prefix_list` and `security_group`, and repeat the item for each further one",
            ));
            continue;
        };
        peer(tier, destination, findings);
        // EC2 answers InvalidPermission.Duplicate.
        if let Some(first) = seen.insert((&**destination, *entry.port), destination) {
            let message = format!("`egress` to `{}` on port {} stands here twice", **destination, *entry.port);
            let finding = tier.error("duplicate", destination.origin(), message, "remove one");
            findings.push(finding.related(&tier.source, first.origin(), "first here"));
        }
    }
}

/// The other end of a security group's rule: a block, a prefix list or a security group.
pub(super) fn peer(tier: &Tier, written: &Located<String>, findings: &mut Findings) {
    let known = |prefix: &str| written.starts_with(prefix).then(|| is_resource_id(written, prefix));
    match known("pl").or_else(|| known("sg")) {
        Some(true) => {}
        Some(false) => findings.push(tier.error(
            "bad-id",
            written.origin(),
            format!("`{}` is not the id of a prefix list or security group", **written),
            "write it as AWS shows it, as `pl-0a1b2c3d4e5f60718` or `sg-0a1b2c3d4e5f60718`",
        )),
        None => {
            if let Err((message, remedy)) = block(written) {
                findings.push(tier.error("bad-cidr", written.origin(), message, remedy));
            }
        }
    }
}

/// A block of one VPC, and whose it is.
struct Block<'a> {
    net: Ipv4Net,
    tier: &'a Tier,
    cell: &'a Cell,
    group: &'a InfraGroup,
    cidr: &'a Located<String>,
}

/// Blocks that overlap. AWS allows that between VPCs, but then a tier could not tell which VPC holds an address, and
/// the VPCs of an account could never be connected. VPCs of different tiers in different accounts may overlap.
pub(super) fn all(tiers: &[Tier], findings: &mut Findings) {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for tier in tiers {
        for (cell, group) in infra_groups(&tier.spec) {
            let Some(cidr) = &group.vpc.cidr else { continue };
            let Ok(net) = vpc_block(cidr) else { continue };
            let block = Block { net, tier, cell, group, cidr };
            if let Some(other) = blocks.iter().find(|other| overlap(other, &block)) {
                let message = format!(
                    "`{}` overlaps `{}`, the block of infra group `{}` of cell `{}`",
                    **cidr, **other.cidr, *other.group.name, *other.cell.name
                );
                let remedy = "choose blocks that do not overlap within a tier, nor within an account and Region";
                let finding = tier.error("overlapping-cidr", cidr.origin(), message, remedy);
                findings.push(finding.related(&other.tier.source, other.cidr.origin(), "overlaps this"));
            }
            blocks.push(block);
        }
    }
    shared_vpcs(tiers, findings);
}

fn overlap(a: &Block<'_>, b: &Block<'_>) -> bool {
    let near = a.tier.spec.tier == b.tier.spec.tier
        || (a.cell.account == b.cell.account && region_of(&a.tier.spec, a.cell) == region_of(&b.tier.spec, b.cell));
    near && (a.net.contains(&b.net) || b.net.contains(&a.net))
}

/// Two infra groups in one VPC of another team get in each other's way where AWS wants an endpoint to be the only
/// one: for a private DNS name, and for a gateway's routes in a route table.
fn shared_vpcs(tiers: &[Tier], findings: &mut Findings) {
    let groups = tiers.iter().flat_map(|tier| infra_groups(&tier.spec).map(move |(_, group)| (tier, group)));
    let mut seen: Vec<(&Tier, &Vpc, &Located<String>)> = Vec::new();
    for (tier, group) in groups {
        let Some(id) = &group.vpc.id else { continue };
        for (other_tier, other, other_id) in seen.iter().filter(|(_, _, other_id)| *other_id == id) {
            let shares_table = group.vpc.route_tables.iter().any(|table| other.route_tables.contains(table));
            let clash = tier.spec.downstreams.iter().find(|downstream| {
                let same = |other: &&crate::spec::model::Downstream| {
                    *other.service == *downstream.service
                        && other.private_dns == downstream.private_dns
                        && other.gateway == downstream.gateway
                };
                let exclusive = downstream.private_dns || (*downstream.gateway && shares_table);
                exclusive && other_tier.spec.downstreams.iter().any(|other| same(&other))
            });
            if let Some(downstream) = clash {
                let message = format!(
                    "`{}` is used by two infra groups, and both would make an endpoint for `{}` where AWS allows one",
                    **id, *downstream.name
                );
                let remedy = "give each infra group its own VPC or route tables, or turn `private_dns` off";
                let finding = tier.error("shared-vpc", id.origin(), message, remedy);
                findings.push(finding.related(&other_tier.source, other_id.origin(), "also used here"));
                break;
            }
        }
        seen.push((tier, &group.vpc, id));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zones_belong_to_their_region() {
        assert!(is_zone_of("us-east-1a", "us-east-1"));
        for wrong in ["us-east-1", "us-east-2a", "us-east-1ab", "use1-az1", "us-east-1-lax-1a", ""] {
            assert!(!is_zone_of(wrong, "us-east-1"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_block_is_accepted_only_at_its_first_address(address: u32, size in 0_u8..=32) {
            let mask = if size == 0 { 0 } else { u32::MAX << (32 - size) };
            let text = format!("{}/{size}", std::net::Ipv4Addr::from(address));
            prop_assert_eq!(block(&text).is_ok(), address & !mask == 0);
        }

        #[test]
        fn a_vpc_is_16_to_22(size in 0_u8..=32) {
            prop_assert_eq!(vpc_block(&format!("10.0.0.0/{size}")).is_ok(), (16..=22).contains(&size));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = vpc_block(&text);
        }
    }
}
