"""The Secrets that an object creates, directly or through its operator."""

from collections.abc import Iterator

from packages.preflight.objects import Manifest, dig, items, mapping, text

CERTIFICATE_KEYS = frozenset({"tls.crt", "tls.key", "ca.crt"})
ANY_KEY = frozenset({"*"})
"""The keys of an object with unknown contents."""


def made_secrets(manifest: Manifest) -> Iterator[tuple[str, frozenset[str]]]:
    """The name and the keys of each."""
    spec = manifest.spec
    is_certified = any("cert-manager.io/" in str(key) for key in manifest.annotations)
    match manifest.kind:
        case "Secret":
            yield manifest.name, frozenset(mapping(manifest.data, "data")) | {*mapping(manifest.data, "stringData")}
        case "ExternalSecret":
            yield text(spec, "target", "name") or manifest.name, _external_keys(manifest)
        case "SealedSecret":
            name = text(spec, "template", "metadata", "name") or manifest.name
            yield name, frozenset(mapping(spec, "encryptedData"))
        case "Certificate":
            yield text(spec, "secretName"), CERTIFICATE_KEYS
        case "VaultStaticSecret" | "VaultDynamicSecret":
            yield text(spec, "destination", "name"), ANY_KEY
        case "Ingress" | "Gateway" if is_certified:
            yield from ((name, CERTIFICATE_KEYS) for name in tls_secrets(manifest))


def _external_keys(manifest: Manifest) -> frozenset[str]:
    if items(manifest.spec, "dataFrom"):
        return ANY_KEY
    template = mapping(manifest.spec, "target", "template", "data")
    return frozenset(template) or frozenset(text(entry, "secretKey") for entry in items(manifest.spec, "data"))


def tls_secrets(door: Manifest) -> list[str]:
    """The Secrets with which an Ingress or a Gateway of the namespace terminates TLS."""
    names = {text(tls, "secretName") for tls in items(door.spec, "tls")}
    for listener in items(door.spec, "listeners"):
        names |= {text(ref, "name") for ref in items(listener, "tls", "certificateRefs") if not dig(ref, "namespace")}
    return sorted(names - {""})
