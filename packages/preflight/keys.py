"""Which Secrets and ConfigMaps there will be, and which keys they have."""

from packages.preflight.objects import Manifest, Rendering, items, mapping, text

ANY = frozenset({"*"})
"""The keys are somebody else's to know: every key is taken to be there."""

CERTIFICATE_KEYS = frozenset({"tls.crt", "tls.key", "ca.crt"})


def config_keys(rendering: Rendering, name: str, namespace: str) -> frozenset[str] | None:
    """The keys of a ConfigMap; None where nothing in the rendering makes it."""
    if name == "kube-root-ca.crt":  # every namespace has it
        return frozenset({"ca.crt"})
    found = rendering.find("ConfigMap", name, namespace)
    if found is None:
        return None
    return frozenset(mapping(found.data, "data")) | frozenset(mapping(found.data, "binaryData"))


def secret_keys(rendering: Rendering, name: str, namespace: str) -> frozenset[str] | None:
    """The keys of a Secret, whoever makes it: itself, an operator, cert-manager; None where nobody does."""
    for manifest in rendering:
        if manifest.namespace == namespace:
            keys = _made_by(manifest, name)
            if keys is not None:
                return keys
    return None


def _made_by(manifest: Manifest, name: str) -> frozenset[str] | None:
    spec = manifest.spec
    match manifest.kind:
        case "Secret" if manifest.name == name:
            return frozenset(mapping(manifest.data, "data")) | frozenset(mapping(manifest.data, "stringData"))
        case "ExternalSecret" if (text(spec, "target", "name") or manifest.name) == name:
            return _external_keys(manifest)
        case "SealedSecret" if (text(spec, "template", "metadata", "name") or manifest.name) == name:
            return frozenset(mapping(spec, "encryptedData"))
        case "Certificate" if text(spec, "secretName") == name:
            return CERTIFICATE_KEYS
        case "VaultStaticSecret" | "VaultDynamicSecret" if text(spec, "destination", "name") == name:
            return ANY
        case "Ingress" if "cert-manager.io/" in " ".join(manifest.annotations):
            return CERTIFICATE_KEYS if name in {text(tls, "secretName") for tls in items(spec, "tls")} else None
        case "Gateway" if "cert-manager.io/" in " ".join(manifest.annotations):
            references = [
                ref for listener in items(spec, "listeners") for ref in items(listener, "tls", "certificateRefs")
            ]
            return CERTIFICATE_KEYS if name in {text(ref, "name") for ref in references} else None
    return None


def _external_keys(manifest: Manifest) -> frozenset[str]:
    if items(manifest.spec, "dataFrom"):
        return ANY
    template = mapping(manifest.spec, "target", "template", "data")
    return frozenset(template) or frozenset(text(entry, "secretKey") for entry in items(manifest.spec, "data"))
