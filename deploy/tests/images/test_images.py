"""The images: small, labelled, without a shell or a root user, and working under every restriction."""

import time
from collections.abc import Iterator

import pytest
import requests

from common import __version__
from deploy.tests.images.conftest import ENGINE, TAG, System, engine, inspect
from deploy.tests.programs import run
from tools.processes.cluster import until

IMAGES = ("api-gateway", "user-service")
MOST_BYTES = 120 * 10**6


@pytest.mark.parametrize("image", IMAGES)
def test_image_is_below_120_megabytes(image: str):
    size = inspect("image", f"devops-challenge/{image}:{TAG}")["Size"]
    print(f"{image}: {size / 1e6:.1f} MB")  # noqa: T201 - the figure is wanted
    assert 0 < size < MOST_BYTES


@pytest.mark.parametrize("image", IMAGES)
def test_image_has_labels_and_a_user(image: str):
    found = inspect("image", f"devops-challenge/{image}:{TAG}")
    config = found["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert {"title", "description", "version", "revision", "source", "licenses"} <= set(labels)
    assert (labels["title"], labels["version"]) == (image, __version__)
    assert config["User"] == "1001:1001"
    healthcheck = config.get("Healthcheck") or found["Healthcheck"]  # Docker's place, and podman's
    assert "/app/healthcheck.py" in healthcheck["Test"]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("program", ["sh", "bash", "pip", "apt-get", "gcc", "curl", "wget"])
def test_image_has_no_such_program(image: str, program: str):
    done = run(ENGINE, "run", "--rm", "--entrypoint", program, f"devops-challenge/{image}:{TAG}")
    assert done.returncode in {125, 126, 127}


@pytest.mark.parametrize("image", IMAGES)
def test_image_has_no_tests_and_no_development_tools(image: str):
    script = (
        "import importlib.util, pathlib\n"
        "found = [each for each in ('pytest', 'mypy', 'pip', 'fakeredis') if importlib.util.find_spec(each)]\n"
        "print(found, list(pathlib.Path('/app').rglob('tests')))"
    )
    assert engine("run", "--rm", f"devops-challenge/{image}:{TAG}", "-c", script) == "[] []"


def test_round_trip_through_both_containers_and_the_store(system: System):
    with requests.Session() as client:
        made = client.post(f"{system.url}/api/users", json={"name": "Ada", "email": "ada@example.com"}, timeout=5)
        assert made.status_code == 201, made.text
        url = f"{system.url}/api/users/{made.json()['id']}"
        assert client.get(url, timeout=5).json() == made.json()
        assert client.patch(url, json={"role": "admin"}, timeout=5).json()["role"] == "admin"
        assert client.get(f"{system.url}/api/users", timeout=5).json()["count"] >= 1
        assert client.delete(url, timeout=5).status_code == 204
        assert client.get(url, timeout=5).status_code == 404
        assert client.get(f"{system.url}/version", timeout=5).json()["version"] == __version__


@pytest.mark.parametrize("name", IMAGES)
def test_healthcheck_of_the_image_passes(system: System, name: str):
    engine("exec", system.container(name), "python", "-I", "/app/healthcheck.py")


@pytest.mark.parametrize("name", IMAGES)
def test_container_can_write_nowhere_but_in_memory(system: System, name: str):
    script = "import pathlib\ntry: pathlib.Path('/app/x').touch()\nexcept OSError as e: print(e.strerror)"
    assert engine("exec", system.container(name), "python", "-c", script) == "Read-only file system"
    status = engine("exec", system.container(name), "python", "-c", "print(open('/proc/self/status').read())")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize("name", IMAGES)
def test_memory_stays_within_half_the_limit(system: System, name: str):
    script = (
        "import pathlib, re\n"
        "for file in pathlib.Path('/proc').glob('[0-9]*/status'):\n"
        "    print(*re.findall(r'VmRSS:\\s+(\\d+)', file.read_text()))"
    )
    kilobytes = sum(map(int, engine("exec", system.container(name), "python", "-c", script).split()))
    print(f"{name}: {kilobytes / 1024:.0f} MiB, the asking process included")  # noqa: T201 - the figure is wanted
    assert kilobytes < 128 * 1024


@pytest.mark.parametrize("name", IMAGES)
def test_first_process_reaps_orphans(system: System, name: str):
    orphan = "import os, time\nif os.fork() == 0:\n    if os.fork() == 0: time.sleep(0.3)\n    os._exit(0)\nos.wait()"
    engine("exec", system.container(name), "python", "-c", orphan)
    script = "import pathlib; print(sum(') Z ' in f.read_text() for f in pathlib.Path('/proc').glob('[0-9]*/stat')))"
    time.sleep(0.5)  # until it is an orphan, and has ended
    until(lambda: engine("exec", system.container(name), "python", "-c", script) == "0", seconds=15, pause=0.5)


def test_sigterm_drains(system: System):
    """A request in flight at SIGTERM is answered; new ones are, until the drain is over; then exit 0."""
    container = system.container("api-gateway")

    def body() -> Iterator[bytes]:
        yield b'{"name": "Late", '
        engine("kill", "--signal=TERM", container)
        time.sleep(1)
        assert requests.get(f"{system.url}/health/ready", timeout=5).status_code == 503
        assert requests.get(f"{system.url}/api/users", timeout=5).status_code == 200
        yield b'"email": "late@example.com"}'

    answer = requests.post(
        f"{system.url}/api/users", data=body(), headers={"Content-Type": "application/json"}, timeout=20
    )
    assert answer.status_code == 201, answer.text
    until(lambda: not inspect("container", container)["State"]["Running"], seconds=30, pause=0.2)
    assert inspect("container", container)["State"]["ExitCode"] == 0
    engine("start", container)
    system.wait()


def test_user_service_waits_for_a_store_that_answers(system: System):
    place = (f"--network={system.name}", f"--volume={system.secrets}:/run/secrets/redis:ro")
    command = (f"devops-challenge/user-service:{TAG}", "manage_users.py", "wait_for_redis", "--timeout=5")
    engine("run", "--rm", *place, *system.settings("users"), *command)
    with pytest.raises(RuntimeError):
        engine("run", "--rm", *place, *system.settings("users"), "--env=REDIS_HOST=nowhere", *command)
