"""How views are read."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

USER_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The user's id.")


class PathSchema(AutoSchema):
    """Says that the path parameter is a UUID: there is no model to ask (tfranzel/drf-spectacular#999)."""

    def get_override_parameters(self) -> list[Any]:
        """What the decorators gave, and the id where the path has one."""
        return [*super().get_override_parameters(), *([USER_ID] if "{id}" in self.path else [])]
