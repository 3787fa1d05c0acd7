//! Health checks, draining, slow start, stickiness and deployments.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use crate::spec::diagnostic::Findings;
use crate::spec::located::Located;
use crate::spec::model::{ContainerHealthCheck, Deployment, HealthCheck};

use super::Tenant;

pub(super) fn tenant(tenant: &Tenant, findings: &mut Findings) {
    let spec = &tenant.spec;
    if let Some(service) = &spec.service {
        target_check(tenant, service.health_check.as_ref(), findings);
        slow_start(tenant, service.slow_start.as_ref(), findings);
        let sidecars = service.sidecars.iter().filter_map(|sidecar| sidecar.health_check.as_ref());
        for check in service.container_health_check.iter().chain(sidecars) {
            container_check(tenant, check, findings);
        }
        if let Some(deployment) = &service.deployment {
            self::deployment(tenant, deployment, findings);
        }
    }
    if let Some(targets) = &spec.targets {
        target_check(tenant, targets.health_check.as_ref(), findings);
        slow_start(tenant, targets.slow_start.as_ref(), findings);
    }
}

fn target_check(tenant: &Tenant, check: Option<&Located<HealthCheck>>, findings: &mut Findings) {
    let Some(check) = check else { return };
    let interval = check.interval.as_deref().copied().unwrap_or(HealthCheck::DEFAULT_INTERVAL);
    let timeout = check.timeout.as_deref().copied().unwrap_or(HealthCheck::DEFAULT_TIMEOUT);
    if timeout >= interval
        && let Some(place) = check.timeout.as_ref().or(check.interval.as_ref())
    {
        let default = if check.timeout.is_none() { " (the default)" } else { "" };
        let finding = tenant.error(
            "bad-health-check",
            place.origin(),
            format!("a check every {interval} s cannot wait {timeout} s{default} for an answer"),
            format!("choose `timeout` below `interval`, as `timeout: {}`", (interval / 2).max(2)),
        );
        let other = check.interval.as_ref().filter(|interval| !std::ptr::eq(*interval, place));
        findings.push(match other {
            Some(interval) => finding.related(&tenant.source, interval.origin(), "the interval"),
            None => finding,
        });
    }
    if let Some(path) = &check.path {
        let allowed = |byte: u8| byte.is_ascii_graphic();
        if !path.starts_with('/') || path.len() > 1024 || !path.bytes().all(allowed) {
            let message = format!("`{}` cannot be a health check's path", **path);
            findings.push(tenant.error(
                "bad-health-check",
                path.origin(),
                message,
                "begin with `/`, and use at most 1024 characters without spaces",
            ));
        }
    }
    if let Some(matcher) = &check.matcher
        && !matcher_is_sound(matcher)
    {
        let message = format!("`{}` is not a list of HTTP status codes", **matcher);
        findings.push(tenant.error(
            "bad-health-check",
            matcher.origin(),
            message,
            "write codes from 200 to 499, as \"200\", \"200-299\" or \"200,204\"",
        ));
    }
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Matcher.html>
fn matcher_is_sound(matcher: &str) -> bool {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| text.len() == 3 && (200..=499).contains(code));
    matcher.split(',').all(|part| match part.split_once('-') {
        Some((from, to)) => matches!((code(from), code(to)), (Some(from), Some(to)) if from <= to),
        None => code(part).is_some(),
    })
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>
fn container_check(tenant: &Tenant, check: &ContainerHealthCheck, findings: &mut Findings) {
    let command = &check.command;
    let remedy = match command.first().map(String::as_str) {
        Some("CMD") if command.len() > 1 => return,
        Some("CMD-SHELL") if command.len() == 2 => return,
        Some("CMD-SHELL") => "write one command behind it: [CMD-SHELL, \"curl -f http://localhost/ || exit 1\"]",
        Some("CMD") => "write the program and its arguments behind it: [CMD, /bin/check]",
        _ => "begin with `CMD` for a program and its arguments, or `CMD-SHELL` for one command of a shell",
    };
    findings.push(tenant.error("bad-health-check", command.origin(), "ECS cannot run this health check", remedy));
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>
fn slow_start(tenant: &Tenant, seconds: Option<&Located<u32>>, findings: &mut Findings) {
    if let Some(seconds) = seconds
        && (1..30).contains(&**seconds)
    {
        let message = format!("a slow start of {} s is shorter than AWS takes", **seconds);
        findings.push(tenant.error("out-of-range", seconds.origin(), message, "choose 30 to 900 seconds, or 0 for none"));
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>
fn deployment(tenant: &Tenant, deployment: &Deployment, findings: &mut Findings) {
    let least = deployment.minimum_healthy_percent.as_deref().copied().unwrap_or(100);
    let most = deployment.maximum_percent.as_deref().copied().unwrap_or(200);
    if least >= most
        && let Some(place) = deployment.maximum_percent.as_ref()
    {
        findings.push(tenant.error(
            "bad-deployment",
            place.origin(),
            format!("with {least} % kept healthy and {most} % at most, no task can be replaced"),
            "raise `maximum_percent` above `minimum_healthy_percent`, or lower the latter",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_codes_and_ranges() {
        for sound in ["200", "200-299", "200,204", "200-299,404"] {
            assert!(matcher_is_sound(sound), "{sound}");
        }
        for wrong in ["", "2xx", "200-", "299-200", "199", "500", "200,", "0200"] {
            assert!(!matcher_is_sound(wrong), "{wrong}");
        }
    }
}
