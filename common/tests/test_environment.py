"""Where settings come from: the environment, a mounted file, `.env`."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from common.config import environment, telemetry
from common.config.environment import SettingError


@pytest.mark.parametrize(
    ("value", "meant"),
    [*((yes, True) for yes in ("true", "1", "YES", "On", " true\n")), ("false", False), ("OFF", False)],
)
def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("SWITCH", value)
    assert environment.boolean("SWITCH", default=not meant) is meant


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


def test_a_file_for_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE", "/nowhere")
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE cannot be read"):
        environment.mount("OTEL_")


def test_a_url_with_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "http://u:pw@h")
    with pytest.raises(SettingError) as raised:
        environment.parsed("URL", "", int, "a number")
    assert "pw" not in str(raised.value)


@pytest.fixture
def dot_env(tmp_path: Path) -> Iterator[Path]:
    """A `.env` file; the environment is as before when the test ends."""
    with mock.patch.dict(os.environ):
        yield tmp_path / ".env"


def test_dot_env_fills_in_and_does_not_override(dot_env: Path) -> None:
    os.environ["TWO"] = "from-environment"
    dot_env.write_text('# a comment\n\n  \nONE=from-dot-env\nTWO=from-dot-env\nexport THREE="with #"\nFOUR=a"\n')
    environment.read_dotenv(str(dot_env))
    found = [environment.text(name) for name in ("ONE", "TWO", "THREE", "FOUR")]
    assert found == ["from-dot-env", "from-environment", "with #", 'a"']


def test_a_byte_order_mark_hides_no_line(dot_env: Path) -> None:
    dot_env.write_bytes(b"\xef\xbb\xbfONE=first\r\nTWO=second\r\n")
    environment.read_dotenv(str(dot_env))
    assert (environment.text("ONE"), environment.text("TWO")) == ("first", "second")


@pytest.mark.parametrize(
    "line", ["REDIS_PASSWORD hunter2", "SECRET-KEY=hunter2", "=hunter2", "A = hunter2", 'A="hunter2', "A='hunter2' # x"]
)
def test_a_malformed_line_is_named_by_its_number_without_its_content(dot_env: Path, line: str) -> None:
    dot_env.write_text(f"ONE=1\n{line}\nTHREE=3\n")
    with pytest.raises(SettingError, match=r"line 2 is malformed: write NAME=value") as raised:
        environment.read_dotenv(str(dot_env))
    assert "hunter2" not in str(raised.value)
    assert "ONE" not in os.environ  # nothing half-starts


def test_a_file_that_is_not_text_is_named(dot_env: Path) -> None:
    dot_env.write_bytes(b"ONE=\xff\n")
    with pytest.raises(SettingError, match=r"\.env cannot be read"):
        environment.read_dotenv(str(dot_env))


def test_a_missing_file_is_not_an_error(dot_env: Path) -> None:
    environment.read_dotenv(str(dot_env))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_TRACES_SAMPLER", "half"),
        ("OTEL_SDK_DISABLED", "maybe"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-5"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x"),
    ],
)
def test_a_telemetry_value_that_we_do_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"{name} is '{value}': set it to "):
        telemetry.traces()


@pytest.mark.parametrize(
    ("settings", "traces"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector", "OTEL_SPAN_LINK_COUNT_LIMIT": "0"}, True),
        ({"OTEL_BSP_SCHEDULE_DELAY": "5000", "OTEL_BSP_EXPORT_TIMEOUT": "0.5", "OTEL_TRACES_SAMPLER_ARG": "0"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_need_an_endpoint(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], traces: bool) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert telemetry.traces() is traces
