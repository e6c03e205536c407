"""Settings that both sites share, read once from the environment. Sites import the names."""

import secrets
from typing import Any

from common import __version__
from common.config import environment, telemetry

environment.read_dotenv()
TRACES = telemetry.traces()

DEBUG = environment.boolean("DEBUG", default=False)
LOG_LEVEL = environment.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "warn", "error", "critical"))
APP_VERSION = environment.text("APP_VERSION") or __version__
APP_REVISION = environment.text("APP_REVISION") or "unknown"

HOST = environment.text("HOST") or "0.0.0.0"  # noqa: S104 - a container listens on every interface
MAX_BODY_BYTES = environment.integer("MAX_BODY_BYTES", 65_536, minimum=0, maximum=1 << 40)
# One process answers a few thousand requests a second: 128 in flight take about 30 ms; more would only wait longer.
MAX_IN_FLIGHT = environment.integer("MAX_IN_FLIGHT", 128, minimum=1, maximum=65_536)
PUBLIC_URL = environment.public_url("PUBLIC_URL")
DRAIN_SECONDS = environment.integer("DRAIN_SECONDS", 0 if DEBUG else 5, minimum=0, maximum=600)
WEB_CONCURRENCY = environment.integer("WEB_CONCURRENCY", 1, minimum=1, maximum=64)

SECRET_KEY = environment.secret("SECRET_KEY") or (
    secrets.token_urlsafe(48)
    if DEBUG
    else environment.required("SECRET_KEY", "give a long random string, e.g. from `openssl rand -base64 48`")
)
if not DEBUG:
    environment.required("ALLOWED_HOSTS", "list the host names that clients use, e.g. ALLOWED_HOSTS=api.example.com")
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", "localhost,.localhost,127.0.0.1,[::1]")


# The sites have no relational data, so no setting may require a database (encode/django-rest-framework#6448).
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
STATIC_URL = "/static/"
SHARED_APPS = [
    "common",  # first: its runserver overrides the one of staticfiles
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # it would repeat each value
    "ENUM_NAME_OVERRIDES": {
        "ProblemCode": "common.openapi.components.CODES",
        "FieldErrorCode": "common.http.problem.FIELD_CODES",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums"],
    "DISABLE_ERRORS_AND_WARNINGS": False,
}

# Django's checks for pages with forms and cookies; headers and TLS belong to the proxy in front. Ours repeat its checks of
# SECRET_KEY and DEBUG, with a cure.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003", "security.W009", "security.W018"]
SILENCED_SYSTEM_CHECKS += environment.check_ids("SILENCED_SYSTEM_CHECKS")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_PARSER_CLASSES": [
        "common.http.json_body.StrictJSONParser",
        "common.http.json_body.MergePatchParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]
    + (["rest_framework.renderers.BrowsableAPIRenderer"] if DEBUG else []),
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",  # imported with the generator
    "URL_FORMAT_OVERRIDE": None,  # only the Accept header selects the format
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
