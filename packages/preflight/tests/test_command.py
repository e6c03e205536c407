"""`check_manifests` as an operator runs it: paths in, lines and an exit code out."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


def run(*paths: object) -> str:
    out, err = io.StringIO(), io.StringIO()
    call_command("check_manifests", *map(str, paths), stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


def test_sound_file_is_quiet():
    assert run(FOLDER / "sound.yaml") == f"{FOLDER / 'sound.yaml'}: nothing found\n"


def test_broken_file_fails():
    with pytest.raises(CommandError, match=r"\d+ violations") as error:
        run(FOLDER / "broken.yaml")
    assert error.value.returncode == 1


def test_folder_is_read_as_one(tmp_path: Path):
    service, deployment = (FOLDER / "broken.yaml").read_text(encoding="utf-8").split("---\n")[::-1]
    (tmp_path / "service.yaml").write_text(service, encoding="utf-8")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "deployment.yml").write_text(deployment, encoding="utf-8")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("check_manifests", str(tmp_path), stdout=out)
    assert "select labels that a pod has: app=backend" in out.getvalue()


def test_same_objects_in_two_files_are_no_conflict(tmp_path: Path):
    shutil.copy(FOLDER / "sound.yaml", tmp_path / "again.yaml")
    assert "nothing found" in run(FOLDER / "sound.yaml", tmp_path / "again.yaml")


def test_list_is_taken_apart(tmp_path: Path):
    file = tmp_path / "list.yaml"
    file.write_text(
        "kind: List\napiVersion: v1\nitems:\n- {kind: Deploymnt, apiVersion: apps/v1, metadata: {name: x}}\n",
        encoding="utf-8",
    )
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("check_manifests", str(file), stdout=out)
    assert "Deploymnt/x: unknown kind" in out.getvalue()


@pytest.mark.parametrize("content", ["a: [", "- a\n- b\n", "a: b\n a: c\n"])
def test_what_is_no_manifest_is_said_so(tmp_path: Path, content: str):
    file = tmp_path / "x.yaml"
    file.write_text(content, encoding="utf-8")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("check_manifests", str(file), stdout=out)
    assert f"{file}: is no YAML that Kubernetes reads" in out.getvalue()


def test_missing_path_is_one_line(tmp_path: Path):
    with pytest.raises(CommandError, match="does not exist: name rendered YAML"):
        run(tmp_path / "nowhere")


def test_empty_folder_is_one_line(tmp_path: Path):
    with pytest.raises(CommandError, match="holds no YAML"):
        run(tmp_path)


def test_empty_file_is_one_line(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(CommandError, match="there is no object"):
        run(tmp_path / "x.yaml")


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "x.yaml")


def _kubectl(folder: Path, script: str) -> dict[str, str]:
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_folder_with_a_kustomization_is_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", _kubectl(tmp_path, f'[ "$1" = kustomize ] && cat "{FOLDER}/sound.yaml"')["PATH"])
    (tmp_path / "kustomization.yaml").write_text("resources: []\n", encoding="utf-8")
    assert "nothing found" in run(tmp_path)


def test_folder_of_overlays_has_each_rendered_and_components_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", _kubectl(tmp_path, f'[ "$1" = kustomize ] && cat "{FOLDER}/sound.yaml"')["PATH"])
    for folder, kind in (("overlays/one", "Kustomization"), ("components/door", "Component")):
        (tmp_path / "all" / folder).mkdir(parents=True)
        (tmp_path / "all" / folder / "kustomization.yaml").write_text(f"kind: {kind}\n", encoding="utf-8")
        (tmp_path / "all" / folder / "patch.yaml").write_text("- no: object\n", encoding="utf-8")
    assert "nothing found" in run(tmp_path / "all")


def test_key_written_twice_is_named_by_its_line(tmp_path: Path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\ndata: {c: d}\n", encoding="utf-8"
    )
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 violation$"):
        call_command("check_manifests", str(file), stdout=out)
    assert out.getvalue().startswith(f"{file}:5: repeats the key 'data'")


def test_reader_that_goes_away_is_no_traceback():
    command = f"'{sys.executable}' manage_gateway.py check_manifests '{FOLDER}/broken.yaml' | true"
    environment = {"PATH": os.environ["PATH"], "DEBUG": "true", "USER_SERVICE_URL": "http://127.0.0.1:1"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert re.fullmatch(r"\S*error: \d+ violations\n", done.stderr)


def test_refusal_of_kubectl_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", _kubectl(tmp_path, "echo 'no such\nbase' >&2; exit 1")["PATH"])
    (tmp_path / "kustomization.yaml").write_text("resources: []\n", encoding="utf-8")
    with pytest.raises(CommandError, match="does not render: no such base"):
        run(tmp_path)


def test_missing_kubectl_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "kustomization.yaml").write_text("resources: []\n", encoding="utf-8")
    with pytest.raises(CommandError, match="there is no kubectl"):
        run(tmp_path)


@pytest.mark.parametrize(("words", "code"), [(["sound.yaml"], 0), (["broken.yaml"], 1), (["nowhere.yaml"], 1), ([], 2)])
def test_exit_code(words: list[str], code: int):
    environment = {"PATH": os.environ["PATH"], "DEBUG": "true", "USER_SERVICE_URL": "http://127.0.0.1:1"}
    command = [sys.executable, "manage_gateway.py", "check_manifests", *(str(FOLDER / word) for word in words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
