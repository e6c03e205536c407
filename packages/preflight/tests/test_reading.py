# ruff: noqa: E501 - a case a line
"""How paths become objects: YAML as kubectl reads it, lists, repeated keys, and in linear time."""

from pathlib import Path

import pytest

from packages.preflight import Manifest, Rendering, UnreadableError, check, check_paths, read
from packages.preflight.tests.services import SERVICES

FOLDER = Path(__file__).parent
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(12))
"""Aliases that expand to 9^12 nodes."""


def written(folder: Path, content: str) -> Path:
    file = folder / "objects.yaml"
    file.write_text(content, encoding="utf-8")
    return file


def objects(folder: Path, content: str) -> list[Manifest]:
    return read([written(folder, content)])[0].manifests


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("=", "="), ("2026-11-27", "2026-11-27"), ("12:30:45", "12:30:45"), ("2026-11-27T12:00:00Z", "2026-11-27T12:00:00Z"),
        ("0o17", 15), ("017", 15), ("0x1F", 31), ("-7", -7), ("1_000", 1000), ("08", 8.0), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0),
        ("yes", True), ("off", False), ("y", True), ("N", False), ("~", None), ("null", None), ('"1"', "1"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalar_is_read_as_kubectl_reads_it(tmp_path: Path, written: str, value: object):
    [manifest] = objects(tmp_path, f"kind: ConfigMap\nspec: {{value: {written}}}\n")
    assert manifest.spec["value"] == value
    assert type(manifest.spec["value"]) is type(value)


def test_a_number_of_many_digits_is_not_an_error(tmp_path: Path):
    [manifest] = objects(tmp_path, f"kind: ConfigMap\nspec: {{value: {'9' * 5000}}}\n")
    assert manifest.spec["value"] == float("inf")


@pytest.mark.parametrize(
    ("kind", "own"),
    [("List", "kind: ConfigMap, apiVersion: v1, "), ("ConfigMapList", "kind: ConfigMap, "), ("ConfigMapList", "")],
)
def test_list_is_taken_apart_and_items_of_a_typed_one_need_no_kind(tmp_path: Path, kind: str, own: str):
    [manifest] = objects(tmp_path, f"kind: {kind}\napiVersion: v1\nitems: [{{{own}metadata: {{name: x}}}}]\n")
    assert (str(manifest), manifest.api_version) == ("ConfigMap/x", "v1")


def test_merge_keys_are_merged(tmp_path: Path):
    [manifest] = objects(tmp_path, "a: &a {kind: ConfigMap}\n<<: *a\nspec: {<<: {x: 1}, y: 2}\n")
    assert (manifest.kind, manifest.spec) == ("ConfigMap", {"x": 1, True: 2})


def test_same_object_in_two_files_is_not_a_conflict(tmp_path: Path):
    copy = tmp_path / "again.yaml"
    copy.write_bytes((FOLDER / "sound.yaml").read_bytes())
    assert check_paths([FOLDER / "sound.yaml", copy], SERVICES) == []


def test_repeated_key_is_named_by_its_line(tmp_path: Path):
    file = written(tmp_path, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\ndata: {c: d}\n")
    [finding] = check_paths([file])
    assert str(finding).startswith(f"{file}:5: repeats the key 'data'")


@pytest.mark.parametrize(
    "content", ["a: [", "- a\n- b\n", "a: b\n a: c\n", "{[a]: b}", "[" * 100_000, LAUGHS, "a: &a {b: *a}"]
)
def test_other_yaml_is_one_violation(tmp_path: Path, content: str):
    file = written(tmp_path, content)
    [finding] = check_paths([file])
    assert str(finding).startswith(f"{file}: is no YAML that Kubernetes reads")


def test_empty_file_is_unreadable(tmp_path: Path):
    with pytest.raises(UnreadableError, match="found no object"):
        check_paths([written(tmp_path, "# nothing\n")])


@pytest.mark.timeout(20)  # each takes less than a second; a quadratic search takes minutes
@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "a-" * 50_000, "\n" * 100_000, "://" * 33_000, "-----BEGIN " * 9_000, "redis-cli " * 10_000, "x{" * 50_000,
     "sentinel auth-pass " * 5_000, "://a:" * 20_000, "nc -a " * 16_000],
    ids=lambda text: text[:20].encode("unicode_escape").decode()[:12],
)  # fmt: skip
def test_long_text_is_searched_in_linear_time(text: str):
    rendering, _ = read([FOLDER / "sound.yaml"], SERVICES)
    config, rule, deployment = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"PASSWORDS": text, "a.conf": text}},
        {"kind": "PrometheusRule", "metadata": {"name": "big", "namespace": "devops-challenge-prod"},
         "spec": {"groups": [{"rules": [{"alert": "A", "expr": text}]}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "big"}, "spec": {"template": {"spec": {"containers": [
            {"name": "big", "image": text, "command": [text], "env": [{"name": "A_URL", "value": text}, {"name": "A_HOST", "value": text}],
             "livenessProbe": {"exec": {"command": [text]}}}]}}}},
    )  # fmt: skip
    manifests = [*rendering, *map(Manifest, (config, rule, deployment))]
    check(Rendering(manifests, SERVICES))
