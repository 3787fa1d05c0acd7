//! What a tier says about its tenants and their logs.

use crate::spec::diagnostic::Findings;
use crate::spec::model::RouteBy;

use super::Tier;

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTION_DAYS: [u32; 22] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    let rules = &tier.spec.tenants;
    if rules.ports[0] > rules.ports[1] {
        let [first, last] = *rules.ports;
        let message = format!("no port is from {first} to {last}");
        findings.push(tier.error("bad-port", rules.ports.origin(), message, format!("write the lower one first: [{last}, {first}]")));
    }
    match (*rules.route_by, &rules.header) {
        (RouteBy::Header, None) => findings.push(tier.error(
            "bad-header",
            rules.route_by.origin(),
            "routing by header needs the header's name",
            "add `header:`, as `header: x-tenant`",
        )),
        (RouteBy::Path, Some(header)) => {
            let finding = tier.error(
                "bad-header",
                header.origin(),
                "`header` is given, and this tier routes by path",
                "write `route_by: header`, or remove `header`",
            );
            findings.push(finding.related(&tier.source, rules.route_by.origin(), "routes by path"));
        }
        (RouteBy::Header, Some(header)) => {
            if let Some(problem) = header_problem(header) {
                let remedy = "choose a header of your own, as `x-tenant`: up to 40 letters, digits and hyphens";
                findings.push(tier.error("bad-header", header.origin(), format!("`{}` {problem}", **header), remedy));
            }
        }
        (RouteBy::Path, None) => {}
    }
    if let Some(days) = &tier.spec.monitoring.log_retention_days
        && !RETENTION_DAYS.contains(days)
    {
        let longer = RETENTION_DAYS.iter().find(|allowed| **allowed > **days);
        let remedy = match longer {
            Some(next) => format!("the next longer one is {next}"),
            None => "leave it out to keep logs for ever; the longest is 3653".to_owned(),
        };
        let message = format!("CloudWatch Logs does not keep logs for {} days", **days);
        findings.push(tier.error("bad-retention", days.origin(), message, remedy));
    }
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_HttpHeaderConditionConfig.html>
fn header_problem(name: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
    if name.eq_ignore_ascii_case("host") {
        Some("cannot be used to route: load balancers have another kind of rule for it".to_owned())
    } else if name.chars().count() > 40 {
        Some(format!("has {} characters, and a load balancer takes 40", name.chars().count()))
    } else if name.is_empty() || !name.bytes().all(token) {
        Some("cannot be a header's name".to_owned())
    } else {
        None
    }
}
