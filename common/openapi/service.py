"""The operations that both sites have beside users: health and version. Views for the generator only."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from common.openapi.components import GIVEN_REQUEST_ID, REQUEST_ID_PATTERN, sent
from common.openapi.inspector import PathSchema


class HealthSerializer(serializers.Serializer[Any]):
    """Who answers."""

    status = serializers.ChoiceField(choices=["healthy"])
    service = serializers.CharField()
    version = serializers.CharField()
    timestamp = serializers.DateTimeField()


class LiveSerializer(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.ChoiceField(choices=["alive"])


class ReadySerializer(serializers.Serializer[Any]):
    """Whether the dependencies answer."""

    status = serializers.ChoiceField(choices=["ready", "not ready"])
    dependencies = serializers.DictField(child=serializers.ChoiceField(choices=["up", "down"]))


class VersionSerializer(serializers.Serializer[Any]):
    """What runs here."""

    service = serializers.CharField()
    version = serializers.CharField()
    revision = serializers.CharField()
    python = serializers.CharField()
    django = serializers.CharField()


def operation(operation_id: str, serializer: Any, description: str, statuses: tuple[int, ...] = (200,)) -> Any:
    """A view for the generator with one documented GET."""
    responses = {
        (status, "application/json"): OpenApiResponse(serializer, description=description) for status in statuses
    }
    answered = [str(status) for status in statuses]
    parameters = [
        GIVEN_REQUEST_ID,
        sent("X-Request-ID", "The request's ID.", answered, required=True, pattern=REQUEST_ID_PATTERN),
    ]

    class View(APIView):
        schema = PathSchema()

        @extend_schema(operation_id=operation_id, responses=responses, parameters=parameters, tags=["service"])
        def get(self, request: Any) -> None:
            """Described, never called: what answers is in health.py and version.py."""

    View.get.__doc__ = description
    return View.as_view()


urlpatterns = [
    path("health", operation("get_health", HealthSerializer, "Who answers here.")),
    path("health/live", operation("get_live", LiveSerializer, "The process answers.")),
    path("health/ready", operation("get_ready", ReadySerializer, "The dependencies answer.", (200, 503))),
    path("version", operation("get_version", VersionSerializer, "What runs here.")),
]
