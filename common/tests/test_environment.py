"""Where settings come from: the environment, a mounted file, `.env`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.config import environment
from common.config.environment import SettingError
from tools.testing.service import ROOT


@pytest.mark.parametrize("value", ["true", "1", "YES", "On", " true\n"])
def test_true(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SWITCH", value)
    assert environment.boolean("SWITCH", default=False) is True


@pytest.mark.parametrize("value", ["false", "0", "No", "OFF"])
def test_false(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SWITCH", value)
    assert environment.boolean("SWITCH", default=True) is False


def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBER", "")
    assert environment.integer("NUMBER", 7, minimum=1, maximum=9) == 7


@pytest.mark.parametrize("value", ["0", "10", "1.5", "x", "1e1"])
def test_a_number_out_of_bounds_names_the_bounds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NUMBER", value)
    with pytest.raises(SettingError, match=r"NUMBER is .*: set it to a whole number from 1 to 9"):
        environment.integer("NUMBER", 7, minimum=1, maximum=9)


def test_a_mounted_file_is_read_and_trimmed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from a file\n")
    monkeypatch.setenv("FROM_FILE_FILE", str(tmp_path / "value"))
    assert environment.text("FROM_FILE") == "from a file"


def test_files_for_a_library_are_read_into_the_environment_and_masked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "headers").write_text("authorization=Bearer%20never-shown\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS_FILE", str(tmp_path / "headers"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_CONFIG_FILE", str(tmp_path / "nowhere"))
    (tmp_path / "ratio").write_text("0.125\n")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG_FILE", str(tmp_path / "ratio"))
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "")
    environment.mount("OTEL_")
    assert (os.environ["OTEL_TRACES_SAMPLER_ARG"], "0.125" in environment.secrets) == ("0.125", False)
    assert os.environ["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=Bearer%20never-shown"
    assert "OTEL_EXPERIMENTAL_CONFIG" not in os.environ
    assert "authorization=Bearer%20never-shown" in environment.secrets


def test_a_file_for_a_library_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # A name of its own: django-environ keeps what it has read for the test above.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE", "/nowhere")
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE cannot be read"):
        environment.mount("OTEL_")


def test_a_url_with_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "http://u:pw@h")
    with pytest.raises(SettingError) as raised:
        environment.parsed("URL", "", int, "a number")
    assert "pw" not in str(raised.value)


PRINT = "from common.config.environment import text; print(text('ONE'), text('TWO'), text('THREE'))"


def test_dot_env_fills_in_and_does_not_override(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('# a comment\nONE=from-dot-env\nTWO=from-dot-env\nexport THREE="with spaces"\n')
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TWO": "from-environment"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        cwd=tmp_path,
        env=settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "from-dot-env from-environment with spaces\n"
