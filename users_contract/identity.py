"""The identity of an email: the local part in ASCII lower case, and the A-label of the domain (UTS 46)."""

import unicodedata


def identity(email: str) -> str:
    """The same text for every spelling of an address: `Ada@BÜCHER.example` is `ada@xn--bcher-kva.example`."""
    if email.isascii():
        return email.lower()
    local, at, domain = email.rpartition("@")
    local = local.encode().lower().decode()  # bytes.lower() is ASCII's
    return local + at + (domain.lower() if domain.isascii() else _a_labels(domain))


def _a_labels(domain: str) -> str:
    import idna  # 2 MiB of tables, for domains of other scripts only

    try:
        mapped = idna.uts46_remap(domain, std3_rules=False)
    except idna.IDNAError:  # no registry has such a domain, but its spellings need one identity too
        mapped = unicodedata.normalize("NFC", domain.lower())
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in mapped.split(".")
    )
