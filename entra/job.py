"""A provisioning job: what stays the same from cycle to cycle."""

from pathlib import Path

from entra import options, state, tenant
from entra.cycle import Cycle
from entra.dialect import Dialect
from entra.plan import Policy
from entra.provisioning_log import ProvisioningLog


class Job:
    """The endpoint, the mappings and the state that a command's options describe."""

    def __init__(self, tenant_file: Path, settings: options.Settings) -> None:
        self.tenant_file = tenant_file
        self.settings = settings
        self.endpoint = options.make_endpoint(settings["url"], settings)
        self.mappings = options.make_mappings(settings)
        self.state = state.load(settings["state_file"], self.endpoint.base)

    def make_cycle(self, log: ProvisioningLog, *, continues: bool = False) -> Cycle:
        """Build a cycle over the tenant file's current content."""
        flag = self.settings["flag"] or self.endpoint.flagged
        seconds = {"interval": self.settings["interval"] * 60} if "interval" in self.settings else {}
        return Cycle(
            tenant.load(self.tenant_file, self.mappings.source_names),
            self.mappings,
            self.endpoint,
            self.state,
            options.build(Dialect, self.settings, flag=flag),
            options.build(Policy, self.settings, **seconds),
            log,
            concurrency=self.settings.get("concurrency", 1),
            continues=continues,
        )
