"""No password, token, Authorization header or e-mail query value in a log line, however it got there."""

import json
import logging
from typing import Any

import pytest

from common.config import environment
from common.observability.json_logging import JSONFormatter

SECRET = "s3cr3t-Value"

LEAKS = [
    f"redis://:{SECRET}@redis:6379/0",
    f"redis://user:{SECRET}@redis:6379",
    f"cannot reach rediss://:{SECRET}@h1:1,h2:2/0 now",
    f"redis://:{SECRET}@x@redis:6379",
    f"redis://:a/{SECRET}@redis:6379",
    f"http://admin:{SECRET}@upstream/users?x=1",
    f"Authorization: Bearer {SECRET}",
    f"authorization: bearer {SECRET}",
    f"Authorization: Basic {SECRET}==",
    f"Authorization: ApiKey {SECRET}",
    f'Authorization: Digest username="{SECRET[::-1]}", response={SECRET}',
    f"Proxy-Authorization: {SECRET}",
    f"[(b'authorization', b'ApiKey {SECRET}'), (b'host', b'x')]",
    f"b'GET / HTTP/1.1\\r\\nAuthorization: Token {SECRET}\\r\\nHost: x'",
    f'{{"Authorization": "Bearer {SECRET}"}}',
    f"X-API-Key: {SECRET}",
    f"Cookie: session={SECRET}",
    f"Set-Cookie: session={SECRET}; HttpOnly",
    f"sent Bearer {SECRET} to upstream",
    f"password={SECRET}",
    f"REDIS_PASSWORD='{SECRET}'",
    f'{{"password": "{SECRET}"}}',
    f"/callback?access_token={SECRET}&state=1",
    f"api_key: {SECRET}",
    f"/users?email={SECRET}@example.com&limit=1",
    f"GET /users?limit=1&EMAIL={SECRET}%40example.com HTTP/1.1",
    f"eyJ{SECRET.replace('-', '')}.eyJzdWIiOiIxIn0.{SECRET}",
]


def line(message: object, *args: object, error: BaseException | None = None, **fields: Any) -> bytes:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("any", logging.ERROR, "file", 1, message, args or None, info)
    if fields:
        record.fields = fields
    return JSONFormatter("a-service", "1.0").format(record).encode()


@pytest.mark.parametrize("text", LEAKS)
def test_it_is_masked_in_message_fields_and_exception(text: str) -> None:
    try:
        raise ValueError(text) from OSError(text)
    except ValueError as error:
        raised = error
    logged = line(text, error=raised, plain=text, nested={"list": [text, (text,)]})
    assert SECRET.encode() not in logged + line("a %s b", text)
    assert json.loads(logged)["error.type"] == "ValueError"


@pytest.mark.parametrize(
    "secret", ["plain", 'with "quotes"', "back\\slash", "ümläut", "100% p@ss/word", ",", "1", ":", "a"]
)
def test_a_value_read_as_a_secret_is_masked_and_the_line_stays_json(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setattr(environment, "secrets", set())
    monkeypatch.setenv("SOME_SECRET", secret)
    assert environment.secret("SOME_SECRET") == secret
    logged = json.loads(line("uses %s now", secret, number=1, text=f"<{secret}>"))
    assert secret not in logged["message"].replace("uses ", "").replace(" now", "")
    assert secret not in logged["text"]
    assert logged["number"] == 1
    assert logged["level"] == "error"


def test_a_secret_is_masked_in_its_url_encoded_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "secrets", set())
    environment.hide("p@ss word")
    assert json.loads(line("p%40ss%20word and p@ss word"))["message"] == "*** and ***"


@pytest.mark.parametrize(
    "text", ["Listening at: http://0.0.0.0:3000 (7)", "AUTH is not set: set it to none", "no token left"]
)
def test_other_text_stays(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(environment, "secrets", set())
    assert json.loads(line(text))["message"] == text


@pytest.mark.parametrize("value", ["\ud800", b"\xff", 1 << 70, float("nan"), object(), {1: {2, 3}}, None, True])
def test_whatever_is_logged_the_line_is_json(value: object) -> None:
    assert json.loads(line("got %s", value, value=value))["logger"] == "any"
