"""Health and version in the schemas of both sites. The views are for the generator only."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from common.openapi.components import GIVEN_REQUEST_ID, always_sent, problem_responses


class HealthSerializer(serializers.Serializer[Any]):
    """The service and its version."""

    status = serializers.ChoiceField(choices=["healthy"])
    service = serializers.CharField()
    version = serializers.CharField()
    timestamp = serializers.DateTimeField()


class LiveSerializer(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.ChoiceField(choices=["alive"])


class ReadySerializer(serializers.Serializer[Any]):
    """Whether each dependency answers."""

    status = serializers.ChoiceField(choices=["ready", "not ready"])
    dependencies = serializers.DictField(child=serializers.ChoiceField(choices=["up", "down"]))


class VersionSerializer(serializers.Serializer[Any]):
    """The versions of the service and of what it runs on."""

    service = serializers.CharField()
    version = serializers.CharField()
    revision = serializers.CharField()
    python = serializers.CharField()
    django = serializers.CharField()


def operation(operation_id: str, summary: str, serializer: type, *answers: tuple[int, str, dict[str, Any]]) -> Any:
    """A view for the generator: one GET, and its JSON answers as (status, description, example)."""
    codes = ("malformed-request", "method-not-allowed", "internal-error")
    responses = {
        (status, "application/json"): OpenApiResponse(
            serializer,
            description=description,
            examples=[OpenApiExample(description, value=example, response_only=True, status_codes=[str(status)])],
        )
        for status, description, example in answers
    } | problem_responses(codes)
    statuses = sorted({str(status) for status, _ in responses})

    class View(APIView):
        @extend_schema(
            operation_id=operation_id,
            summary=summary,
            description=serializer.__doc__,
            responses=responses,
            parameters=[GIVEN_REQUEST_ID, *always_sent(statuses)],
            tags=["service"],
        )
        def get(self, request: Any) -> None:
            """For the generator only; http/health.py answers."""

    return View.as_view()


HEALTHY = {
    "status": "healthy",
    "service": "user-service",
    "version": "0.1.0",
    "timestamp": "2026-11-23T06:35:18.123441Z",
}
VERSIONS = {"service": "user-service", "version": "0.1.0", "revision": "d8e3703", "python": "3.13.1", "django": "5.2.8"}

urlpatterns = [
    path("health", operation("get_health", "Health", HealthSerializer, (200, "Healthy", HEALTHY))),
    path("health/live", operation("get_live", "Liveness", LiveSerializer, (200, "Alive", {"status": "alive"}))),
    path(
        "health/ready",
        operation(
            "get_ready",
            "Readiness",
            ReadySerializer,
            (200, "Ready", {"status": "ready", "dependencies": {"redis": "up"}}),
            (503, "Not ready", {"status": "not ready", "dependencies": {"redis": "down"}}),
        ),
    ),
    path("version", operation("get_version", "Version", VersionSerializer, (200, "Version", VERSIONS))),
]
