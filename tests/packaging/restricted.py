"""Whether a manifest's pods pass the `restricted` pod security standard, and our own rules.

Pure: takes manifests as values, returns sentences. Owns the list of rules. The names of the fields
are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SECCOMP = {"RuntimeDefault", "Localhost"}


def problems(manifest: dict) -> list:
    """What is wrong with the pods that `manifest` makes; nothing when it makes none."""
    spec = pod_spec(manifest)
    if spec is None:
        return []
    name = f"{manifest['kind']}/{manifest.get('metadata', {}).get('name')}"
    found = [*pod_rules(spec), *volume_rules(spec)]
    for container in containers(spec):
        for problem in [*container_rules(container, spec), *own_container_rules(container)]:
            found.append(f"container {container.get('name')}: {problem}")
    for container in spec.get("initContainers") or []:
        if is_pinnace(container):
            found.extend(f"sidecar: {problem}" for problem in sidecar_rules(container))
    return [f"{name}: {problem}" for problem in found]


def pod_spec(manifest: dict):
    """The pod's spec inside any kind of workload, or None."""
    spec = manifest.get("spec") or {}
    kind = manifest.get("kind")
    if kind == "Pod":
        return spec
    if kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}:
        return spec["template"]["spec"]
    if kind == "CronJob":
        return spec["jobTemplate"]["spec"]["template"]["spec"]
    return None


def containers(spec: dict) -> list:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container for kind in kinds for container in spec.get(kind) or []]


def is_pinnace(container: dict) -> bool:
    return container.get("image", "").split("@")[0].rsplit("/", 1)[-1].split(":")[0] == "pinnace"


def pod_rules(spec: dict) -> list:
    found = []
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            found.append(f"{key} is on")
    security = spec.get("securityContext") or {}
    for sysctl in security.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            found.append(f"sysctl {sysctl['name']} is not among the safe ones")
    if spec.get("automountServiceAccountToken") is not False:
        found.append("automountServiceAccountToken is not false: nothing here talks to the API server")
    return found


def volume_rules(spec: dict) -> list:
    found = []
    for volume in spec.get("volumes") or []:
        kinds = set(volume) - {"name"}
        for kind in kinds - VOLUMES:
            found.append(f"volume {volume['name']}: {kind} is not allowed")
        if "emptyDir" in kinds and not (volume["emptyDir"] or {}).get("sizeLimit"):
            found.append(f"volume {volume['name']}: the emptyDir has no sizeLimit")
    return found


def container_rules(container: dict, spec: dict) -> list:
    own = container.get("securityContext") or {}
    pod = spec.get("securityContext") or {}

    def effective(key):
        return own[key] if key in own else pod.get(key)

    found = []
    if own.get("privileged"):
        found.append("privileged")
    if own.get("allowPrivilegeEscalation") is not False:
        found.append("allowPrivilegeEscalation is not false")
    if effective("runAsNonRoot") is not True:
        found.append("runAsNonRoot is not true")
    if effective("runAsUser") == 0:
        found.append("runAsUser is 0")
    if (effective("seccompProfile") or {}).get("type") not in SECCOMP:
        found.append("seccompProfile is neither RuntimeDefault nor Localhost")
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        found.append("capabilities.drop does not have ALL")
    for added in set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        found.append(f"capability {added} is added")
    if (own.get("procMount") or "Default") != "Default":
        found.append("procMount is not Default")
    selinux = effective("seLinuxOptions") or {}
    if selinux.get("type") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        found.append("seLinuxOptions name a user, a role or another type")
    if ((effective("appArmorProfile") or {}).get("type") or "RuntimeDefault") == "Unconfined":
        found.append("appArmorProfile is Unconfined")
    if (effective("windowsOptions") or {}).get("hostProcess"):
        found.append("a Windows host process")
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            found.append(f"hostPort {port['hostPort']}")
    return found


def own_container_rules(container: dict) -> list:
    """Not in the standard, but promised in our documents."""
    found = []
    if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
        found.append("readOnlyRootFilesystem is not true")
    if not ((container.get("resources") or {}).get("limits") or {}).get("memory"):
        found.append("no memory limit")
    for variable in container.get("env") or []:
        name = variable["name"]
        # Kubernetes makes these itself for a Service named pinnace.
        if name == "PINNACE_PORT" or name.startswith(("PINNACE_PORT_", "PINNACE_SERVICE_")):
            found.append(f"variable {name} is one that Kubernetes makes")
    return found


def sidecar_rules(container: dict) -> list:
    found = []
    if container.get("restartPolicy") != "Always":
        found.append("not a native sidecar: restartPolicy is not Always")
    if (container.get("args") or [None])[0] != "run":
        found.append("its command is not run")
    if "--on-error=exit" in (container.get("args") or []):
        found.append("with --on-error=exit a mistake keeps the application from starting")
    for probe in ("startupProbe", "livenessProbe"):
        http = (container.get(probe) or {}).get("httpGet") or {}
        if http.get("path") != "/healthz":
            found.append(f"{probe} does not ask for /healthz")
        if not isinstance(http.get("port"), int):
            found.append(f"{probe} has no numeric port")
    return found
