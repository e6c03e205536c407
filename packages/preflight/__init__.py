"""What a cluster would suffer from, found in rendered manifests: across objects, and against our two services.

Schemas are kubernetes-validate's, general policy is checkov's; here is what neither can see. A rule is a function
from a rendering to violations; each module holds the rules of one noun.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from packages.preflight import (
    admission,
    alerts,
    configuration,
    credentials,
    edges,
    images,
    kinds,
    policies,
    ports,
    probes,
    quotas,
    references,
    resources,
    scaling,
    security,
    selectors,
    termination,
    volumes,
)
from packages.preflight.objects import Manifest, Rendering
from packages.preflight.reading import UnreadableError, read
from packages.preflight.violation import Violation

__all__ = ["RULES", "Manifest", "Rendering", "UnreadableError", "Violation", "check", "check_paths"]

Rule = Callable[[Rendering], Iterator[Violation]]

RULES: tuple[Rule, ...] = (
    kinds.unnamed,
    kinds.duplicates,
    kinds.lost_namespaces,
    admission.names,
    admission.words,
    admission.secrets,
    admission.pods,
    admission.containers,
    admission.services,
    admission.updates,
    admission.jobs,
    selectors.own_pods,
    selectors.overlapping,
    selectors.services,
    selectors.unserved,
    selectors.budgets_and_policies,
    selectors.policy_peers,
    selectors.spread,
    selectors.monitors,
    ports.target_ports,
    ports.own_port,
    ports.port_names,
    ports.backends,
    probes.patience,
    probes.probe_ports,
    probes.dependencies,
    probes.readiness,
    probes.liveness,
    probes.served_paths,
    references.config_and_secrets,
    references.identities,
    references.operators,
    references.tls_secrets,
    references.expansions,
    resources.limits,
    resources.units,
    resources.oversized,
    resources.in_memory_volumes,
    resources.redis_memory,
    quotas.quotas,
    quotas.limit_ranges,
    scaling.targets,
    scaling.rivals,
    scaling.metrics,
    scaling.budgets,
    scaling.unprotected,
    scaling.replicas,
    scaling.rollouts,
    edges.hosts,
    edges.closed,
    edges.names,
    edges.doors,
    policies.openings,
    policies.defaults,
    policies.unasked,
    credentials.config_maps,
    credentials.variables,
    credentials.probes,
    images.tags,
    images.mixed_up,
    images.pull_policies,
    security.contexts,
    security.pods,
    security.service_links,
    security.namespaces,
    termination.drains,
    termination.hooks,
    termination.shells,
    volumes.mounts,
    volumes.shared_claims,
    volumes.sub_paths,
    volumes.secret_modes,
    configuration.unknown,
    configuration.refused,
    configuration.hosts,
    configuration.debug,
    configuration.timeouts,
    alerts.unknown_metrics,
)


def check(rendering: Rendering) -> list[Violation]:
    """Every violation of every rule, each once, in order of the object."""
    found = set(kinds.unknown_kinds(rendering))
    meant = kinds.corrected(rendering)  # so that a misspelt kind does not hide what else is wrong
    return sorted(found | {violation for rule in RULES for violation in rule(meant)})


def check_paths(paths: Iterable[Path]) -> list[Violation]:
    """Every violation in what the paths hold or render to. Raises UnreadableError."""
    rendering, unreadable = read(paths)
    if not rendering.manifests and not unreadable:
        raise UnreadableError("there is no object in what was given: name rendered YAML files or folders")
    return sorted([*unreadable, *check(rendering)])
