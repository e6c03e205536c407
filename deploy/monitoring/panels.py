"""What the dashboards show. A panel that reads a recorded series costs one look-up, however many replicas there are."""

from dataclasses import dataclass

ALL = {"namespace": ".*", "service": "api-gateway|user-service"}
"""What the variables mean at All: the pair, and not the exporters that are scraped beside it."""

HERE = 'namespace=~"$namespace"'
CHOSEN = f'{HERE}, service=~"$service"'
LAG = f"histogram_quantile(0.99, sum by (service, instance, le) (rate(event_loop_lag_seconds_bucket{{{CHOSEN}}}[5m])))"
CLIENTS = f'{HERE}, service="api-gateway", route!~"/health.*|/metrics"'


@dataclass(frozen=True)
class Panel:
    """One chart or number. `queries`: (PromQL, legend). `unit` is Grafana's name of it; `limit` draws a line."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    limit: float | None = None


def number(title: str, description: str, query: str, unit: str = "short", legend: str = "") -> Panel:
    """A panel of one number."""
    return Panel(title, description, ((query, legend),), unit, kind="stat", width=6, height=4)


SERVICE_OVERVIEW = (
    number(
        "Availability budget left",
        "Share of the 30 days' allowed failures (0.1 % of the requests to /api/users) that has not happened yet.",
        f'namespace_slo:budget_left:ratio30d{{{HERE}, slo="availability"}}',
        "percentunit",
    ),
    number(
        "Latency budget left",
        "Share of the 30 days' allowed answers beyond 300 ms (1 %) that has not happened yet.",
        f'namespace_slo:budget_left:ratio30d{{{HERE}, slo="latency"}}',
        "percentunit",
    ),
    number(
        "Instances up",
        "Instances that answered the last scrape.",
        f"sum by (service) (up{{{CHOSEN}}})",
        legend="{{service}}",
    ),
    number(
        "Requests",
        "Without probes and scrapes.",
        f"sum by (service) (namespace_service:http_requests:rate5m{{{CHOSEN}}})",
        "reqps",
        "{{service}}",
    ),
    Panel(
        "Requests by route",
        "Probes and scrapes included.",
        ((f"namespace_service_route:http_requests:rate5m{{{CHOSEN}}}", "{{service}} {{route}}"),),
        "reqps",
    ),
    Panel(
        "Failing share by route",
        "5xx. HighErrorRate fires at 5 % of a service, probes left out.",
        ((f"namespace_service_route:http_error_ratio:rate5m{{{CHOSEN}}}", "{{service}} {{route}}"),),
        "percentunit",
        limit=0.05,
    ),
    Panel(
        "Latency by route, median",
        "From request head to last byte sent.",
        ((f"namespace_service_route:http_request_duration_seconds:p50_5m{{{CHOSEN}}}", "{{service}} {{route}}"),),
        "s",
    ),
    Panel(
        "Latency by route, 99th percentile",
        "HighP99Latency fires at 1 s of a service, probes left out.",
        ((f"namespace_service_route:http_request_duration_seconds:p99_5m{{{CHOSEN}}}", "{{service}} {{route}}"),),
        "s",
    ),
    Panel(
        "Budget burn over an hour",
        "1 spends exactly the budget in 30 days. Beyond 14.4, with the last 5 minutes as bad, somebody is woken.",
        ((f"namespace_slo:burn_rate:ratio1h{{{HERE}}}", "{{slo}}"),),
        limit=14.4,
    ),
    Panel(
        "In flight",
        "Requests being served now. MAX_IN_FLIGHT is where a service begins to refuse.",
        ((f"sum by (service, instance) (http_requests_in_flight{{{CHOSEN}}})", "{{service}} {{instance}}"),),
    ),
    Panel(
        "Event loop lag, 99th percentile",
        "How late the loop is. All requests of an instance wait as long.",
        ((LAG, "{{service}} {{instance}}"),),
        "s",
    ),
    Panel(
        "CPU",
        "Cores. One process uses one at most.",
        (
            (
                f"sum by (service, instance) (rate(process_cpu_seconds_total{{{CHOSEN}}}[5m]))",
                "{{service}} {{instance}}",
            ),
        ),
        limit=1,
    ),
    Panel(
        "Memory",
        "Resident.",
        ((f"sum by (service, instance) (process_resident_memory_bytes{{{CHOSEN}}})", "{{service}} {{instance}}"),),
        "bytes",
    ),
    Panel(
        "Open files",
        "Share of the process's limit; connections are most of them.",
        ((f"max by (service, instance) (process_open_fds{{{CHOSEN}}} / process_max_fds)", "{{service}} {{instance}}"),),
        "percentunit",
    ),
)

GATEWAY = (
    Panel(
        "Answers by status",
        "What clients got, probes and scrapes left out.",
        ((f"sum by (status_code) (rate(http_requests_total{{{CLIENTS}}}[5m]))", "{{status_code}}"),),
        "reqps",
    ),
    Panel(
        "Upstream requests by outcome",
        "What the upstream answered, or the kind of error where it did not.",
        ((f"namespace_service_status_code:upstream_requests:rate5m{{{HERE}}}", "{{service}} {{status_code}}"),),
        "reqps",
    ),
    Panel(
        "Upstream latency",
        "From sending to the answer. What the gateway adds is the distance to its own latency on the overview.",
        (
            (f"namespace_service:upstream_request_duration_seconds:p50_5m{{{HERE}}}", "{{service}} median"),
            (f"namespace_service:upstream_request_duration_seconds:p99_5m{{{HERE}}}", "{{service}} p99"),
        ),
        "s",
    ),
    Panel(
        "Circuit",
        "0 closed, 1 half-open, 2 open: the worst of the gateways. CircuitOpen fires after 2 minutes.",
        ((f"max by (service) (upstream_circuit_state{{{HERE}}})", "{{service}}"),),
        limit=2,
    ),
    Panel(
        "Retries by reason",
        "Requests that were sent again.",
        ((f"namespace_service_reason:upstream_retries:rate5m{{{HERE}}}", "{{service}} {{reason}}"),),
        "reqps",
    ),
    Panel(
        "Refused at the door",
        "503s that no upstream gave: the circuit is open, or load is shed.",
        ((f"namespace:gateway_refusals:rate5m{{{HERE}}}", "refused"),),
        "reqps",
    ),
)

REDIS_USERS = (
    number("Users", "As the store counts them.", f"max by (namespace) (users_total{{{HERE}}})"),
    number(
        "Store reachable",
        "1 if at least one user service reaches it. RedisDown fires at 0.",
        f"max by (namespace) (users_total_up{{{HERE}}})",
    ),
    number(
        "Store memory used",
        "Of maxmemory. RedisMemoryHigh fires at 85 %; at 100 % writes are refused.",
        f"max by (namespace) (instance:redis_memory_used:ratio{{{HERE}}})",
        "percentunit",
    ),
    number("Replicas", "Connected to a primary.", f"sum by (namespace) (redis_connected_slaves{{{HERE}}})"),
    Panel(
        "Operations",
        "As the user service issues them; one script is one operation.",
        ((f"namespace_operation:redis_operations:rate5m{{{HERE}}}", "{{operation}}"),),
        "ops",
    ),
    Panel(
        "Operations that failed",
        "Refused, timed out, or not sent because there was no connection.",
        ((f'namespace_operation_status:redis_operations:rate5m{{{HERE}, status!="ok"}}', "{{operation}} {{status}}"),),
        "ops",
    ),
    Panel(
        "Operation latency, 99th percentile",
        "From issue to reply, as the user service sees it.",
        ((f"namespace_operation:redis_operation_duration_seconds:p99_5m{{{HERE}}}", "{{operation}}"),),
        "s",
    ),
    Panel("Users over time", "As the store counts them.", ((f"max by (namespace) (users_total{{{HERE}}})", "users"),)),
    Panel(
        "Memory",
        "Of each server, and where it begins to refuse writes.",
        (
            (f"redis_memory_used_bytes{{{HERE}}}", "{{instance}} used"),
            (f"redis_memory_max_bytes{{{HERE}}} != 0", "{{instance}} maxmemory"),
        ),
        "bytes",
    ),
    Panel(
        "Commands",
        "Everything each server executes, probes and replication included.",
        ((f"rate(redis_commands_processed_total{{{HERE}}}[5m])", "{{instance}}"),),
        "ops",
    ),
    Panel("Clients", "Connections to each server.", ((f"redis_connected_clients{{{HERE}}}", "{{instance}}"),)),
    Panel(
        "Replication lag",
        "Of each replica, as its primary sees it. RedisReplicationLag fires at 10 s.",
        ((f"redis_connected_slave_lag_seconds{{{HERE}}}", "{{slave_ip}}:{{slave_port}}"),),
        "s",
        limit=10,
    ),
)

DASHBOARDS = {
    "service-overview": ("Service overview", SERVICE_OVERVIEW),
    "gateway": ("Gateway", GATEWAY),
    "redis-users": ("Redis and users", REDIS_USERS),
}
