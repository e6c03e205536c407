"""Copies the parts of an operating system that a Python service needs into a folder: the image's root.

    python minimal_root.py /rootfs /install        (the second holds site-packages, made by pip --prefix)

Python and its standard library without developers' tools, the shared libraries that extension modules need, certificates,
one time zone, two users. No shell, no package manager. The status of the libraries' Debian packages is included
(var/lib/dpkg/status.d, as in distroless images) for scanners.
"""

import compileall
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

UNUSED = {
    "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3", "pydoc_data",
    "site-packages", "_pyrepl", "venv",
}  # fmt: skip
UNUSED_EXTENSIONS = re.compile(r"^(_tkinter|_test|_xxtest|xxlimited|_ctypes_test|_dbm|_gdbm|_curses)")
UNUSED_PARTS = {
    "contrib": {"flatpages", "gis", "humanize", "postgres", "redirects", "sitemaps", "syndication"},
    "drf_spectacular_sidecar": {"redoc"},
}
UNREAD = {".po", ".mo", ".map", ".pyi", ".pyx", ".pxd", ".c", ".h"}
"""USE_I18N is False; nothing is compiled or type-checked."""
FILES = ("etc/ssl/certs/ca-certificates.crt", "etc/os-release", "usr/share/zoneinfo/UTC")
USER = "1001"


def standard_library(root: Path) -> None:
    """Copies the interpreter and its library, at the paths it was built for."""
    prefix = Path(sys.base_prefix)
    library = Path(sysconfig.get_path("stdlib"))

    def unused(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        drop = {name for name in names if name in UNUSED or name.startswith("config-")}
        return drop | {name for name in names if here.name == "lib-dynload" and UNUSED_EXTENSIONS.match(name)}

    shutil.copytree(library, root / library.relative_to("/"), ignore=unused, symlinks=True)
    binary = prefix / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    target = root / binary.relative_to("/")
    target.parent.mkdir(parents=True)
    shutil.copy2(binary, target)
    for name in ("python3", "python"):
        (target.parent / name).symlink_to(binary.name)


def packages(root: Path, install: Path) -> None:
    """Copies what pip installed, without tests, translations, stubs, and Django's database applications."""

    def unused(folder: str, names: list[str]) -> set[str]:
        drop = {name for name in names if name in {"__pycache__", "tests"} or Path(name).suffix in UNREAD}
        return drop | UNUSED_PARTS.get(Path(folder).name, set())

    source = next((install / "lib").glob("python*/site-packages"))
    shutil.copytree(source, root / sysconfig.get_path("purelib").lstrip("/"), ignore=unused)


def shared_libraries(root: Path) -> set[Path]:
    """Copies every library that an ELF file under the root needs, recursively; returns their original paths."""
    binaries = [
        path for path in root.rglob("*") if path.is_file() and (".so" in path.name or path.parent.name == "bin")
    ]
    found: set[Path] = set()
    for binary in binaries:
        listing = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
        found |= {Path(path) for path in re.findall(r"(/\S+)", listing) if not path.startswith(str(root))}
    for library in found:
        target = root / str(library).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(library.resolve(), target)
    return found


def strip(root: Path) -> None:
    """Removes what the loader never reads (debug information, symbol tables, section headers) from every ELF file.

    A program header lists what is mapped into memory; the file is cut after the last of those. Wheels contain debug
    information, and Debian's slim image has no `strip`.
    """
    for path in root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        data = bytearray(path.read_bytes())
        if data[:6] != b"\x7fELF\x02\x01":  # 64 bit, little endian: amd64 and arm64
            continue
        table, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
        headers = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
        end = max(offset + length for _, _, offset, _, _, length in headers)
        struct.pack_into("<Q", data, 40, 0)  # no section header table
        struct.pack_into("<HH", data, 60, 0, 0)  # of zero entries, without names
        mode = path.stat().st_mode
        path.write_bytes(data[: max(end, table + size * count)])
        path.chmod(mode)


def debian_packages(root: Path, libraries: set[Path]) -> None:
    """Writes the status of each Debian package that a copied file belongs to, for scanners."""
    database = Path("/var/lib/dpkg")
    names = {"base-files", "ca-certificates", "tzdata"}
    wanted = {name for library in libraries for name in (str(library), str(library.resolve()), f"/usr{library}")}
    for listing in (database / "info").glob("*.list"):
        if wanted & set(listing.read_text(encoding="utf-8").split("\n")):
            names.add(listing.stem.partition(":")[0])
    for paragraph in (database / "status").read_text(encoding="utf-8").split("\n\n"):
        name = re.search(r"^Package: (\S+)", paragraph, re.MULTILINE)
        if name and name[1] in names:
            target = root / "var/lib/dpkg/status.d" / name[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(paragraph + "\n", encoding="utf-8")


def system_files(root: Path) -> None:
    """Writes certificates, UTC, users, names, the library path, and a place for temporary files."""
    for name in FILES:
        if Path("/", name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path("/", name).resolve(), root / name)
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:/nologin\napp:x:{USER}:{USER}:app:/tmp:/nologin\n")
    (root / "etc/group").write_text(f"root:x:0:\napp:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "etc/ld.so.conf").write_text("/usr/local/lib\n")
    subprocess.run(["ldconfig", "-r", root], check=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def main(root: Path, install: Path) -> None:
    """Builds the root and byte-compiles it: a read-only root cannot be compiled later."""
    standard_library(root)
    packages(root, install)
    debian_packages(root, shared_libraries(root))
    strip(root)
    system_files(root)
    # The file contains the hash of its source, which is not checked: an image's files do not change, their times may.
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(root, quiet=1, stripdir=str(root), invalidation_mode=unchecked)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
