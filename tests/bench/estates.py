"""Estates of any size: their specs, what is in them, and how they come about in the emulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from figures import ACCOUNT, GROUP, TENANT, TIER, Project, ask, make_service
from floor import Things

SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718"
#: Nothing takes time but requests, and an account may hold as much as the largest estate puts into one.
SETTINGS = {
    **dict.fromkeys(("endpoint_pending", "endpoint_deleting", "endpoint_deleted", "task_start", "target_healthy"), 0),
    **dict.fromkeys(("load_balancer_interfaces_linger", "target_draining", "service_draining"), 0),
    "quotas": {"vpcs": 100, "gateway-endpoints": 100},
}


@dataclass(frozen=True)
class Estate:
    """Accounts that are all alike, each a cell of one tier."""

    accounts: int
    groups: int
    tenants: int
    #: Whether accounts are entered through a role: the credentials' own one need not be.
    with_roles: bool = True

    @property
    def total(self) -> int:
        return self.accounts * self.groups * self.tenants

    def account_ids(self) -> list[str]:
        return [str(int(ACCOUNT) + number) for number in range(self.accounts)]

    def things(self) -> list[Things]:
        """What is in each account, by what the tier spec below asks for."""
        groups, tenants = self.groups, self.groups * self.tenants
        account = Things(
            vpcs=groups,
            subnets=2 * groups,
            route_tables=groups,
            security_groups=4 * groups,
            endpoints=6 * groups,
            named_prefix_lists=1,
            roles=2 * groups,
            log_groups=groups,
            load_balancers=groups,
            listeners=groups,
            target_groups=tenants,
            rules=tenants,
            clusters=tenants,
            services=tenants,
            task_definitions=tenants,
        )
        return [account] * self.accounts

    def tier(self) -> str:
        text = TIER.format(service=SERVICE)
        for cell, account in enumerate(self.account_ids(), 1):
            text += f'  - name: cell-{cell}\n    account: "{account}"\n'
            if self.with_roles:
                text += f"    assume_role: arn:aws:iam::{account}:role/tierctl\n"
            text += "    infra_groups:\n"
            first = (cell - 1) * self.groups
            text += "".join(GROUP.format(number=number, block=first + number) for number in range(1, self.groups + 1))
        return text

    def tenant_specs(self) -> Iterator[tuple[str, str]]:
        """File and text of each tenant."""
        number = 0
        for cell in range(1, self.accounts + 1):
            for group in range(1, self.groups + 1):
                for _ in range(self.tenants):
                    number += 1
                    yield f"tenants/tenant-{number}.yaml", TENANT.format(number=number, cell=cell, group=group)

    def without_tenants(self) -> Estate:
        return replace(self, tenants=0)

    def write(self, project: Project) -> None:
        project.write("tiers/figures.yaml", self.tier())
        (project.folder / "tenants").mkdir(exist_ok=True)
        for path, text in self.tenant_specs():
            project.write(path, text)


def build(estate: Estate, binary: Path, folder: Path, endpoint: str) -> Project:
    """Makes an estate, or what is missing of it, with tierctl, and proves that nothing is left to do."""
    make_service(endpoint, SERVICE)
    project = Project(binary, folder, endpoint).without_throttling()
    estate.write(project)
    project.run("apply", "--yes", "tiers")
    if estate.tenants:
        project.run("onboard", "--yes", "tenants")
    return project


def set_accounts(estate: Estate, endpoint: str, settings: dict) -> None:
    """Changes the settings of all accounts, and counts their requests from here on."""
    for account in estate.account_ids():
        ask(endpoint, f"accounts/{account}", {"settings": settings, "reset_counters": True})


def counted_by_account(estate: Estate, endpoint: str) -> dict[str, dict]:
    """What each account says of the requests that came: `calls` by action, and `refused` by code."""
    return {account: ask(endpoint, f"accounts/{account}") for account in estate.account_ids()}
