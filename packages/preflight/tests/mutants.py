# ruff: noqa: E501 - a mutant a line
"""Ways to break a sound deployment, and what `check_manifests` must report of each: the object, and a part of its line.

A mutant changes one thing, in a rendering of both services, Redis and their surroundings, which is kept beside it: no kubectl
is needed.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packages.preflight import Manifest, Rendering
from packages.preflight.objects import mapping

Data = dict[str, Any]


class Objects:
    """The objects of a rendering by kind and name (without the hash that kustomize puts behind generated names)."""

    def __init__(self, rendering: Rendering) -> None:
        self.services = rendering.services
        self.all: list[Data] = [copy.deepcopy(manifest.data) for manifest in rendering]

    def __call__(self, kind: str, name: str) -> Data:
        return next(each for each in self.all if each["kind"] == kind and _plain(each) == name)

    def remove(self, kind: str, name: str) -> None:
        """Takes an object out."""
        self.all.remove(self(kind, name))

    def add(self, data: Data) -> None:
        """Puts an object in, into the namespace of the others."""
        data.setdefault("metadata", {}).setdefault(
            "namespace", self("Deployment", "api-gateway")["metadata"]["namespace"]
        )
        self.all.append(data)

    def pod(self, name: str, kind: str = "Deployment") -> Data:
        """The pod spec of a workload."""
        return self(kind, name)["spec"]["template"]["spec"]

    def container(self, name: str, kind: str = "Deployment") -> Data:
        """The container of a workload that has the workload's name."""
        return next(each for each in self.pod(name, kind)["containers"] if each["name"] == name)

    def settings(self, name: str) -> Data:
        """The data of a service's ConfigMap."""
        return self("ConfigMap", f"{name}-settings")["data"]

    @property
    def rendering(self) -> Rendering:
        return Rendering((Manifest(data, "mutant") for data in self.all), self.services)


def _plain(data: Data) -> str:
    name = str(mapping(data, "metadata").get("name", ""))
    stem, _, tail = name.rpartition("-")
    return stem if data["kind"] in {"ConfigMap", "Secret"} and len(tail) == 10 else name


@dataclass(frozen=True)
class Mutant:
    """One defect."""

    name: str
    mutate: Callable[[Objects], object]
    object: str
    reported: str


GATEWAY, USERS, REDIS = "Deployment/api-gateway", "Deployment/user-service", "StatefulSet/redis"
OTHER = {"matchLabels": {"app.kubernetes.io/name": "other"}}


def _set(*path: Any, value: Any) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return change


def _two_rules_of(objects: Objects) -> Data:
    return next(each for each in objects.all if each["kind"] == "PrometheusRule")["spec"]["groups"][0]


MUTANTS = (
    Mutant("variable expands to nothing", lambda o: o.container("user-service")["env"].append({"name": "REDIS_URL", "value": "redis://$(STORE):6379/0"}), USERS, "uses $(STORE), which is not set"),
    Mutant("misspelt kind", lambda o: o("Deployment", "api-gateway").update(kind="Deploymentt"), "Deploymentt/api-gateway", "unknown kind"),
    Mutant("apiVersion that left", lambda o: o("HorizontalPodAutoscaler", "api-gateway").update(apiVersion="autoscaling/v2beta2"), "HorizontalPodAutoscaler/api-gateway", "unknown kind"),
    Mutant("object there twice", lambda o: o.add(copy.deepcopy(o("Service", "redis")) | {"spec": {}}), "Service/redis", "appears twice"),
    Mutant("object in another namespace", lambda o: o("Service", "redis")["metadata"].update(namespace="default"), "Service/redis", "is in namespace 'default'"),
    Mutant("workload selects other pods", lambda o: o("Deployment", "api-gateway")["spec"].update(selector=OTHER), GATEWAY, "does not match the labels of its own pods"),
    Mutant("workload selects all pods", lambda o: o("Deployment", "api-gateway")["spec"].update(selector={"matchLabels": {"app.kubernetes.io/part-of": "users-gateway"}}), GATEWAY, "also takes the pods of"),
    Mutant("Service selects nothing", lambda o: o("Service", "api-gateway")["spec"].update(selector={"app": "gateway"}), "Service/api-gateway", "matches no pod"),
    Mutant("budget selects nothing", lambda o: o("PodDisruptionBudget", "api-gateway")["spec"].update(selector=OTHER), "PodDisruptionBudget/api-gateway", "matches no pod"),
    Mutant("network policy selects nothing", lambda o: o("NetworkPolicy", "redis")["spec"].update(podSelector=OTHER), "NetworkPolicy/redis", "matches no pod"),
    Mutant("network policy lets in no pod", lambda o: _set("ingress", 0, "from", 0, "podSelector", value=OTHER)(o("NetworkPolicy", "redis")["spec"]), "NetworkPolicy/redis", "ingress peer"),
    Mutant("spread counts other pods", lambda o: _set("topologySpreadConstraints", 0, "labelSelector", value=OTHER)(o.pod("user-service")), USERS, "topology spread counts other pods"),
    Mutant("monitor of no Service", lambda o: o("ServiceMonitor", "api-gateway")["spec"].update(selector=OTHER), "ServiceMonitor/api-gateway", "matches nothing"),
    Mutant("monitor of no port", lambda o: _set("endpoints", 0, "port", value="metrics")(o("ServiceMonitor", "user-service")["spec"]), "ServiceMonitor/user-service", "it scrapes port 'metrics'"),
    Mutant("targetPort by a wrong number", lambda o: _set("ports", 0, "targetPort", value=8080)(o("Service", "user-service")["spec"]), "Service/user-service", "targetPort 8080 is not open"),
    Mutant("targetPort by a wrong name", lambda o: _set("ports", 0, "targetPort", value="web")(o("Service", "api-gateway")["spec"]), "Service/api-gateway", "targetPort web is not open"),
    Mutant("container port is not PORT", lambda o: _set("ports", 0, "containerPort", value=8080)(o.container("api-gateway")), GATEWAY, "declares port 8080, api-gateway listens on 3000"),
    Mutant("PORT is not the container port", lambda o: o.settings("user-service").update(PORT="8081"), USERS, "user-service listens on 8081"),
    Mutant("route to no Service", lambda o: _set("rules", 0, "backendRefs", 0, "name", value="gateway")(o("HTTPRoute", "api-gateway")["spec"]), "HTTPRoute/api-gateway", "backend Service 'gateway' does not exist"),
    Mutant("route to no port", lambda o: _set("rules", 0, "backendRefs", 0, "port", value=80)(o("HTTPRoute", "api-gateway")["spec"]), "HTTPRoute/api-gateway", "has no port 80"),
    Mutant("liveness each second", lambda o: o.container("api-gateway")["livenessProbe"].update(periodSeconds=1, timeoutSeconds=1), GATEWAY, "periodSeconds 1"),
    Mutant("liveness loses patience", lambda o: o.container("user-service")["livenessProbe"].update(periodSeconds=3, timeoutSeconds=1), USERS, "gives up after 9 s"),
    Mutant("liveness depends on Redis", lambda o: o.container("user-service")["livenessProbe"]["httpGet"].update(path="/health/ready"), USERS, "the readiness path"),
    Mutant("startup depends on Redis", lambda o: o.container("user-service")["startupProbe"]["httpGet"].update(path="/health/ready"), USERS, "startupProbe requests /health/ready"),
    Mutant("readiness by the liveness path", lambda o: o.container("api-gateway")["readinessProbe"]["httpGet"].update(path="/health"), GATEWAY, "does not show readiness"),
    Mutant("probe path that is not served", lambda o: o.container("api-gateway")["livenessProbe"]["httpGet"].update(path="/healthz"), GATEWAY, "requests /healthz, which api-gateway does not serve"),
    Mutant("probe port that is not open", lambda o: o.container("api-gateway")["readinessProbe"]["httpGet"].update(port=8080), GATEWAY, "readinessProbe uses port 8080"),
    Mutant("probe over TLS", lambda o: o.container("api-gateway")["livenessProbe"]["httpGet"].update(scheme="HTTPS"), GATEWAY, "livenessProbe uses HTTPS"),
    Mutant("no readiness", lambda o: o.container("api-gateway").pop("readinessProbe"), GATEWAY, "has no readinessProbe"),
    Mutant("no liveness", lambda o: o.container("user-service").pop("livenessProbe"), USERS, "has no livenessProbe"),
    Mutant("startup is hurried", lambda o: o.container("user-service")["startupProbe"].update(failureThreshold=2), USERS, "gives up after 10 s"),
    Mutant("rollout deadline within start-up", lambda o: o("Deployment", "user-service")["spec"].update(progressDeadlineSeconds=60), USERS, "progressDeadlineSeconds 60"),
    Mutant("scrape path that is not served", lambda o: o("Deployment", "api-gateway")["spec"]["template"]["metadata"]["annotations"].update({"prometheus.io/path": "/prometheus"}), GATEWAY, "prometheus.io/path is /prometheus"),
    Mutant("scrape port that is not open", lambda o: o("Deployment", "api-gateway")["spec"]["template"]["metadata"]["annotations"].update({"prometheus.io/port": "9090"}), GATEWAY, "prometheus.io/port is 9090"),
    Mutant("ConfigMap is gone", lambda o: o.remove("ConfigMap", "api-gateway-settings"), GATEWAY, "needs ConfigMap 'api-gateway-settings"),
    Mutant("Secret is gone", lambda o: o.remove("ExternalSecret", "redis-auth"), USERS, "needs Secret 'redis-auth', which does not exist"),
    Mutant("Secret lacks a key", lambda o: o("ExternalSecret", "redis-auth")["spec"]["data"].pop(0), USERS, "needs key 'password' of Secret redis-auth"),
    Mutant("secret file is not mounted", lambda o: _set("env", 0, "value", value="/run/secrets/elsewhere/key")(o.container("api-gateway")), GATEWAY, "no volume is mounted there"),
    Mutant("secret file has another name", lambda o: _set("env", 0, "value", value="/run/secrets/api-gateway/key")(o.container("api-gateway")), GATEWAY, "has no key 'key' mounted"),
    Mutant("mount without volume", lambda o: _set("volumeMounts", 0, "name", value="scratch")(o.container("api-gateway")), GATEWAY, "mounts volume 'scratch', which does not exist"),
    Mutant("claim is not there", lambda o: o.pod("user-service")["volumes"].append({"name": "d", "persistentVolumeClaim": {"claimName": "users"}}), USERS, "needs PersistentVolumeClaim 'users'"),
    Mutant("ServiceAccount is gone", lambda o: o.remove("ServiceAccount", "user-service"), USERS, "ServiceAccount 'user-service' does not exist"),
    Mutant("governing Service is gone", lambda o: o("StatefulSet", "redis")["spec"].update(serviceName="redis-headless"), REDIS, "governing Service 'redis-headless' does not exist"),
    Mutant("SecretStore is gone", lambda o: o.remove("SecretStore", "aws-secrets-manager"), "ExternalSecret/redis-auth", "SecretStore 'aws-secrets-manager' does not exist"),
    Mutant("operator's account is gone", lambda o: o.remove("ServiceAccount", "external-secrets"), "SecretStore/aws-secrets-manager", "ServiceAccount 'external-secrets' does not exist"),
    Mutant("route without Gateway", lambda o: o.remove("Gateway", "public"), "HTTPRoute/api-gateway", "Gateway 'public' https does not exist"),
    Mutant("certificate without an issuer", lambda o: o("Gateway", "public")["metadata"].pop("annotations"), "Gateway/public", "for TLS does not exist"),
    Mutant("limit below request", lambda o: o.container("api-gateway")["resources"]["limits"].update(cpu="50m"), GATEWAY, "above its limit 50m"),
    Mutant("no quantity", lambda o: o.container("api-gateway")["resources"]["limits"].update(memory="256MB"), GATEWAY, "no quantity"),
    Mutant("more CPU than one process uses", lambda o: o.container("api-gateway")["resources"].update(requests={"cpu": "4", "memory": "128Mi"}, limits={"cpu": "4", "memory": "256Mi"}), GATEWAY, "requests 4 CPU"),
    Mutant("more memory than a node has", lambda o: o.container("user-service")["resources"].update(requests={"cpu": "1", "memory": "8Gi"}, limits={"cpu": "1", "memory": "8Gi"}), USERS, "requests 8Gi of memory"),
    Mutant("less memory than it starts with", lambda o: o.container("user-service")["resources"].update(requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "64Mi"}), USERS, "OOMKilled"),
    Mutant("maxmemory above the limit", lambda o: _redis_conf(o, "maxmemory 160mb", "maxmemory 512mb"), REDIS, "maxmemory 512mb does not fit"),
    Mutant("full store forgets users", lambda o: _redis_conf(o, "noeviction", "allkeys-lru"), REDIS, "maxmemory-policy is allkeys-lru"),
    Mutant("store without AOF", lambda o: _redis_conf(o, "appendonly yes", "appendonly no"), REDIS, "appendonly is off"),
    Mutant("quota below the autoscalers", lambda o: o("ResourceQuota", "namespace")["spec"]["hard"].update({"limits.cpu": "4"}), "ResourceQuota/namespace", "limits.cpu 4 is below"),
    Mutant("limit above the LimitRange", lambda o: _set("limits", 0, "max", "memory", value="128Mi")(o("LimitRange", "namespace")["spec"]), GATEWAY, "the LimitRange allows 128Mi"),
    Mutant("autoscaler of nothing", lambda o: o("HorizontalPodAutoscaler", "api-gateway")["spec"]["scaleTargetRef"].update(name="gateway"), "HorizontalPodAutoscaler/api-gateway", "scales Deployment 'gateway', which does not exist"),
    Mutant("autoscaler's bounds cross", lambda o: o("HorizontalPodAutoscaler", "api-gateway")["spec"].update(minReplicas=12), "HorizontalPodAutoscaler/api-gateway", "minimum 12 is above its maximum"),
    Mutant("replicas beside the autoscaler", lambda o: o("Deployment", "api-gateway")["spec"].update(replicas=3), GATEWAY, "sets replicas 3 and is scaled by"),
    Mutant("two autoscalers", lambda o: o.add(_scaled_object()), GATEWAY, "is scaled by HorizontalPodAutoscaler/api-gateway and ScaledObject/api-gateway"),
    Mutant("autoscaler of no request", lambda o: (o.remove("LimitRange", "namespace"), o.container("user-service").update(resources={"requests": {"cpu": "100m"}})), "HorizontalPodAutoscaler/user-service", "scales by memory, of which container user-service requests nothing"),
    Mutant("budget without an eviction", lambda o: o("PodDisruptionBudget", "user-service")["spec"].update(minAvailable=2), "PodDisruptionBudget/user-service", "which may have 2 pods"),
    Mutant("budget of all", lambda o: o("PodDisruptionBudget", "user-service")["spec"].update(minAvailable="100%"), "PodDisruptionBudget/user-service", "which may have 2 pods"),
    Mutant("no replicas", lambda o: o("StatefulSet", "redis")["spec"].update(replicas=0), REDIS, "replicas is 0"),
    Mutant("upstream on another port", lambda o: o.settings("api-gateway").update(USER_SERVICE_URL="http://user-service:8080"), GATEWAY, "names user-service:8080"),
    Mutant("misspelt Redis", lambda o: o.settings("user-service").update(REDIS_HOST="redis-master"), USERS, "names host 'redis-master', which is not a Service"),
    Mutant("gateway may not call the user service", lambda o: o("NetworkPolicy", "api-gateway")["spec"].update(egress=[]), GATEWAY, "lets it out to Deployment/user-service on port 3001"),
    Mutant("user service lets no pod in", lambda o: o("NetworkPolicy", "user-service")["spec"].update(ingress=[]), USERS, "lets Deployment/api-gateway in on port 3001"),
    Mutant("policy opens another port", lambda o: _set("egress", 0, "ports", 0, "port", value=6380)(o("NetworkPolicy", "user-service")["spec"]), USERS, "lets it out to StatefulSet/redis on port 6379"),
    Mutant("no DNS", lambda o: o.remove("NetworkPolicy", "dns"), GATEWAY, "cluster's DNS"),
    Mutant("no scrape", lambda o: o.remove("NetworkPolicy", "metrics"), USERS, "lets the namespace monitoring in on port 3001"),
    Mutant("door is shut", lambda o: o.remove("NetworkPolicy", "gateway-api"), GATEWAY, "lets the controller of HTTPRoute/api-gateway in"),
    Mutant("tracing is shut", lambda o: o.settings("api-gateway").update(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.elsewhere:4318"), GATEWAY, "lets it out to namespace elsewhere on port 4318"),
    Mutant("password in a ConfigMap", lambda o: o.settings("user-service").update(REDIS_PASSWORD="hunter2"), "ConfigMap/user-service-settings", "key REDIS_PASSWORD holds a credential"),
    Mutant("password in a URL", lambda o: o.settings("user-service").update(REDIS_URL="redis://:hunter2@redis:6379/0"), "ConfigMap/user-service-settings", "a password within a URL"),
    Mutant("password in redis.conf", lambda o: _redis_conf(o, "appendonly yes", "appendonly yes\nrequirepass hunter2"), "ConfigMap/redis-config", "a password in a configuration file"),
    Mutant("private key in a ConfigMap", lambda o: o.settings("user-service").update(TLS_PEM="-----BEGIN EC PRIVATE KEY-----\nMHc"), "ConfigMap/user-service-settings", "key TLS_PEM holds a private key"),
    Mutant("secret in the environment", lambda o: o.container("api-gateway")["env"].append({"name": "SECRET_KEY", "value": "not-so-secret"}), GATEWAY, "SECRET_KEY is a credential"),
    Mutant("password on the command line", lambda o: o.container("redis", "StatefulSet").update(command=["valkey-server", "--requirepass", "$(REDIS_PASSWORD)"]), REDIS, "a password on its command line"),
    Mutant("password in a probe", lambda o: o.container("redis", "StatefulSet").update(livenessProbe={"exec": {"command": ["sh", "-c", 'redis-cli -a "$P" ping']}}), REDIS, "livenessProbe has a password"),
    Mutant("image without tag", lambda o: o.container("user-service").update(image="ghcr.io/devops-challenge/user-service"), USERS, "no tag, so latest"),
    Mutant("image without registry", lambda o: o.container("api-gateway").update(image="api-gateway:sha-abc1234"), GATEWAY, "names no registry"),
    Mutant("the other service's image", lambda o: o.container("api-gateway").update(image="ghcr.io/devops-challenge/user-service:sha-abc1234"), GATEWAY, "runs the image of user-service"),
    Mutant("image that is never pulled", lambda o: o.container("api-gateway").update(imagePullPolicy="Never"), GATEWAY, "is never pulled"),
    Mutant("privileged", lambda o: o.container("api-gateway")["securityContext"].update(privileged=True), GATEWAY, "privileged is true"),
    Mutant("escalation", lambda o: o.container("api-gateway")["securityContext"].pop("allowPrivilegeEscalation"), GATEWAY, "allowPrivilegeEscalation is not set"),
    Mutant("writable root", lambda o: o.container("user-service")["securityContext"].update(readOnlyRootFilesystem=False), USERS, "readOnlyRootFilesystem is not true"),
    Mutant("capabilities kept", lambda o: o.container("user-service")["securityContext"].pop("capabilities"), USERS, "capabilities are not dropped"),
    Mutant("capability added", lambda o: o.container("user-service")["securityContext"]["capabilities"].update(add=["NET_RAW"]), USERS, "adds capabilities"),
    Mutant("root", lambda o: o.pod("user-service")["securityContext"].update(runAsUser=0), USERS, "runAsUser is 0"),
    Mutant("perhaps root", lambda o: o.pod("user-service")["securityContext"].pop("runAsNonRoot"), USERS, "runAsNonRoot is not set"),
    Mutant("no seccomp", lambda o: o.pod("redis", "StatefulSet")["securityContext"].pop("seccompProfile"), REDIS, "seccompProfile.type is not set"),
    Mutant("node's network", lambda o: o.pod("api-gateway").update(hostNetwork=True), GATEWAY, "hostNetwork is true"),
    Mutant("node's port", lambda o: o.container("api-gateway")["ports"][0].update(hostPort=3000), GATEWAY, "opens a hostPort"),
    Mutant("node's files", lambda o: o.pod("api-gateway")["volumes"].append({"name": "etc", "hostPath": {"path": "/etc"}}), GATEWAY, "volume etc is a hostPath"),
    Mutant("service links", lambda o: o.pod("user-service").pop("enableServiceLinks"), USERS, "enableServiceLinks is not false"),
    Mutant("grace shorter than the drain", lambda o: o.pod("api-gateway").update(terminationGracePeriodSeconds=15), GATEWAY, "terminationGracePeriodSeconds 15 is not above"),
    Mutant("drain longer than the grace", lambda o: o.settings("user-service").update(DRAIN_SECONDS="60"), USERS, "DRAIN_SECONDS 60"),
    Mutant("no drain", lambda o: (o.settings("api-gateway").update(DRAIN_SECONDS="0"), o.container("api-gateway").pop("lifecycle")), GATEWAY, "stops listening 0 s"),
    Mutant("preStop outlives the pod", lambda o: o.container("api-gateway")["lifecycle"]["preStop"].update(sleep={"seconds": 60}), GATEWAY, "preStop 60,"),
    Mutant("hook without a shell", lambda o: o.container("api-gateway").update(lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 5"]}}}), GATEWAY, "preStop of container api-gateway runs sh"),
    Mutant("unknown setting", lambda o: o.settings("api-gateway").update(USERS_SERVICE_URL="http://user-service:3001"), "ConfigMap/api-gateway-settings", "setting USERS_SERVICE_URL is unknown to api-gateway"),
    Mutant("missing setting", lambda o: o.settings("api-gateway").pop("USER_SERVICE_URL"), GATEWAY, "USER_SERVICE_URL is not set"),
    Mutant("secret key is not given", lambda o: o.container("user-service")["env"].pop(0), USERS, "SECRET_KEY is not set"),
    Mutant("door's name is not allowed", lambda o: o.settings("api-gateway").update(ALLOWED_HOSTS="api-gateway"), GATEWAY, "ALLOWED_HOSTS lacks api.example.com"),
    Mutant("every name is allowed", lambda o: o.settings("api-gateway").update(ALLOWED_HOSTS="*"), GATEWAY, "ALLOWED_HOSTS holds *"),
    Mutant("DEBUG in production", lambda o: o.settings("user-service").update(DEBUG="true"), USERS, "DEBUG is true in devops-challenge-prod"),
    Mutant("gateway gives up before Redis", lambda o: o.settings("api-gateway").update(UPSTREAM_TIMEOUT_MS="800"), GATEWAY, "UPSTREAM_TIMEOUT_MS 800 is not above"),
    Mutant("door gives up before the gateway", lambda o: _set("rules", 0, "timeouts", "request", value="3s")(o("HTTPRoute", "api-gateway")["spec"]), "HTTPRoute/api-gateway", "request timeout 3s"),
    Mutant("door gives up before the gateway, in parts", lambda o: _set("rules", 0, "timeouts", "request", value="2s900ms")(o("HTTPRoute", "api-gateway")["spec"]), "HTTPRoute/api-gateway", "request timeout 2s900ms"),
    Mutant("Ingress of a name that is not allowed", lambda o: o.add(ingress("one", host="www.example.com")), GATEWAY, "ALLOWED_HOSTS lacks www.example.com"),
    Mutant("alert on an unknown metric", lambda o: _two_rules_of(o)["rules"].append({"alert": "A", "expr": "rate(http_request_total[5m]) > 1"}), "PrometheusRule/", "uses metric http_request_total"),
    Mutant("alert on an unknown label", lambda o: _two_rules_of(o)["rules"].append({"alert": "A", "expr": 'sum(rate(http_requests_total{status=~"5.."}[5m])) > 1'}), "PrometheusRule/", "uses label status of http_requests_total"),
    Mutant("scaler by an unknown metric", lambda o: o.add(_scaled_object(triggers=[{"type": "prometheus", "metadata": {"query": "rate(http_request_total[5m])"}}])), "ScaledObject/api-gateway", "uses metric http_request_total"),
    Mutant("number for a variable", lambda o: o.container("api-gateway")["env"].append({"name": "OTEL_BSP_SCHEDULE_DELAY", "value": 5000}), GATEWAY, "variable OTEL_BSP_SCHEDULE_DELAY is 5000"),
    Mutant("boolean for a setting", lambda o: o.settings("user-service").update(DEBUG=False), "ConfigMap/user-service-settings", "key DEBUG is false"),
    Mutant("memory in thousandths of a byte", lambda o: o.container("api-gateway")["resources"].update(requests={"cpu": "100m", "memory": "128m"}), GATEWAY, "requests.memory is 128m"),
    Mutant("CPU without its m", lambda o: o.container("redis", "StatefulSet")["resources"]["limits"].update(cpu="250"), REDIS, "limits.cpu is 250: whole CPUs"),
    Mutant("claim of one node under many pods", lambda o: _shared_claim(o), USERS, "up to 8 pods share PersistentVolumeClaim/shared, which is ReadWriteOnce"),
    Mutant("file that its ConfigMap lacks", lambda o: _set("volumeMounts", 0, "subPath", value="valkey.conf")(o.container("redis", "StatefulSet")), REDIS, "mounts subPath 'valkey.conf'"),
    Mutant("liveness by the port of another", lambda o: o.container("user-service").update(livenessProbe={"tcpSocket": {"host": "redis", "port": 6379}}), USERS, "contacts Service/redis, another workload"),
    Mutant("liveness by a command to another", lambda o: o.container("redis", "StatefulSet").update(livenessProbe={"exec": {"command": ["sh", "-c", "nc -z user-service 3001"]}}), REDIS, "contacts Service/user-service, another workload"),
    Mutant("token on the command line", lambda o: o.container("redis", "StatefulSet").update(args=["--cluster-token=hunter2"]), REDIS, "a password on its command line"),
    Mutant("Service without selector", lambda o: o("Service", "user-service")["spec"].pop("selector"), "Service/user-service", "has no selector"),
    Mutant("server without Service", lambda o: o.remove("Service", "api-gateway"), GATEWAY, "no Service selects its pods"),
    Mutant("budget without selector", lambda o: o("PodDisruptionBudget", "api-gateway")["spec"].pop("selector"), "PodDisruptionBudget/api-gateway", "has no selector"),
    Mutant("budget of nothing", lambda o: o("PodDisruptionBudget", "api-gateway")["spec"].pop("minAvailable"), "PodDisruptionBudget/api-gateway", "names neither minAvailable nor maxUnavailable"),
    Mutant("no memory limit", lambda o: o.container("user-service")["resources"]["limits"].pop("memory"), USERS, "has no limits.memory"),
    Mutant("secret volume without its Secret", lambda o: next(each for each in o.pod("api-gateway")["volumes"] if each["name"] == "secrets").pop("secret"), GATEWAY, "volume secrets is an emptyDir that no init container fills"),
    Mutant("empty path of a secret", lambda o: o.container("api-gateway")["env"][0].pop("value"), GATEWAY, "SECRET_KEY"),
    Mutant("quota demands a limit", lambda o: (o.remove("LimitRange", "namespace"), o.container("user-service")["resources"]["limits"].pop("cpu")), USERS, "sets no limits.cpu, which ResourceQuota/namespace demands"),
    Mutant("quota and init containers", lambda o: o.pod("user-service")["initContainers"][0]["resources"]["limits"].update(memory="8Gi"), "ResourceQuota/namespace", "limits.memory "),
    Mutant("quota and surge", lambda o: o("ResourceQuota", "namespace")["spec"]["hard"].update(pods="21"), "ResourceQuota/namespace", "pods 21 is below the 22"),
    Mutant("claim of one node and surge", lambda o: (_shared_claim(o), o.remove("HorizontalPodAutoscaler", "user-service")), USERS, "a rolling update starts a second pod with PersistentVolumeClaim/shared"),
    Mutant("two budgets", lambda o: o.add(copy.deepcopy(o("PodDisruptionBudget", "api-gateway")) | {"metadata": {"name": "gateway"}}), GATEWAY, "is selected by PodDisruptionBudget/api-gateway and PodDisruptionBudget/gateway"),
    Mutant("autoscaler and sidecar", lambda o: (o.remove("LimitRange", "namespace"), o.pod("api-gateway").update(initContainers=[{"name": "proxy", "image": "envoyproxy/envoy:v1.35.0", "restartPolicy": "Always"}])), "HorizontalPodAutoscaler/api-gateway", "scales by cpu, of which container proxy requests nothing"),
    Mutant("autoscaler of no container", lambda o: o("HorizontalPodAutoscaler", "api-gateway")["spec"]["metrics"].append({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app"}}), "HorizontalPodAutoscaler/api-gateway", "scales by container 'app'"),
    Mutant("autoscaler's target in a wrong group", lambda o: o("HorizontalPodAutoscaler", "api-gateway")["spec"]["scaleTargetRef"].update(apiVersion="extensions/v1beta1"), "HorizontalPodAutoscaler/api-gateway", "scaleTargetRef has apiVersion extensions/v1beta1"),
    Mutant("governing Service is not headless", lambda o: o("Service", "redis")["spec"].pop("clusterIP"), REDIS, "its governing Service/redis is not headless"),
    Mutant("governing Service of others", lambda o: (o("Service", "api-gateway")["spec"].update(clusterIP="None"), o("StatefulSet", "redis")["spec"].update(serviceName="api-gateway")), REDIS, "its governing Service/api-gateway selects other pods"),
    Mutant("pod beyond the replicas", lambda o: o.settings("user-service").update(REDIS_HOST="redis-1.redis"), USERS, "REDIS_HOST names redis-1.redis, StatefulSet/redis has pods 0 to 0"),
    Mutant("egress without its type", lambda o: o("NetworkPolicy", "api-gateway")["spec"].update(policyTypes=["Ingress"]), "NetworkPolicy/api-gateway", "has egress rules, and policyTypes lacks Egress"),
    Mutant("cluster role is not there", lambda o: o.add(_binding("ClusterRoleBinding", "ClusterRole", namespace="devops-challenge-prod")), "ClusterRoleBinding/reader", "ClusterRole 'reader' does not exist"),
    Mutant("role is not there", lambda o: o.add(_binding("RoleBinding", "Role")), "RoleBinding/reader", "Role 'reader' does not exist"),
    Mutant("account of a role is not there", lambda o: (o.add(_binding("RoleBinding", "Role")), o.remove("ServiceAccount", "backup")), "RoleBinding/reader", "ServiceAccount 'backup' does not exist"),
    Mutant("priority class is not there", lambda o: o.pod("user-service").update(priorityClassName="important"), USERS, "PriorityClass 'important' does not exist"),
    Mutant("TLS Secret of a wrong type", lambda o: o.add({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "public-tls"}, "data": {"tls.crt": "", "tls.key": ""}}), "Gateway/public", "its Secret/public-tls for TLS has the type Opaque"),
    Mutant("Ingress to no Service", lambda o: o.add(ingress("one", service="gateway")), "Ingress/one", "its backend Service 'gateway' does not exist"),
    Mutant("client without the store's password", lambda o: (_redis_conf(o, "appendonly yes", "appendonly yes\naclfile /run/users.acl"), o.container("user-service")["env"].pop(1)), USERS, "connects to StatefulSet/redis (REDIS_HOST) without a password"),
    Mutant("system calls on purpose", lambda o: o.pod("api-gateway")["securityContext"].update(seccompProfile={"type": "Unconfined"}), GATEWAY, "seccompProfile.type is Unconfined"),
)  # fmt: skip


def _redis_conf(objects: Objects, old: str, new: str) -> None:
    data = objects("ConfigMap", "redis-config")["data"]
    assert old in data["redis.conf"]
    data["redis.conf"] = data["redis.conf"].replace(old, new)


def _scaled_object(**spec: Any) -> Data:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api-gateway"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "api-gateway"},
        "spec": {"scaleTargetRef": target, "minReplicaCount": 2, "maxReplicaCount": 4, **spec},
    }


def _shared_claim(objects: Objects) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    objects.add({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"}, "spec": spec})
    objects.pod("user-service")["volumes"].append({"name": "s", "persistentVolumeClaim": {"claimName": "shared"}})


def _binding(kind: str, role: str, **of_subject: str) -> Data:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "backup", **of_subject}],
    }


def ingress(name: str, service: str = "api-gateway", host: str = "api.example.com") -> Data:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 3000}}}}
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [path]}}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}
