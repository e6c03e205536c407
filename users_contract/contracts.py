"""The wire format of users as DRF serializers, for validation in the user service and for both schemas."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from common.http.serializers import StrictSerializer, WholeNumberField, given_text

ROLES = ("user", "admin")
# One pattern defines an address: Django's validate_email with top-level domains of one letter (RFC 5321 §4.1.2), without IPv6
# literals, which it accepts without the tag of §4.1.3, and without control characters in quotes, white space and direction
# marks in a domain. Other scripts are RFC 3987's ucschar.
_ATOM, _QUOTED = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r'"([!#-\[\]-~]|\\[ -~])*"'
_WIDE = r"\u00a1-\u167f\u1681-\u1fff\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufefe\uff01-\uffef"
_LABEL = rf"[A-Za-z0-9{_WIDE}]([A-Za-z0-9{_WIDE}-]{{0,61}}[A-Za-z0-9{_WIDE}])?"
_TOP = rf"([A-Za-z{_WIDE}]([A-Za-z{_WIDE}-]{{0,61}}[A-Za-z{_WIDE}])?|[Xx][Nn]--[A-Za-z0-9]{{1,59}})"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOMAIN = rf"(({_LABEL}\.)+{_TOP}|localhost|\[{_OCTET}(\.{_OCTET}){{3}}\])"
EMAIL_PATTERN = rf"^({_ATOM}(\.{_ATOM})*|{_QUOTED})@{_DOMAIN}$"
NAME_MAX, EMAIL_MAX, LOCAL_MAX = 200, 254, 64
_is_address = re.compile(EMAIL_PATTERN).fullmatch


class NameField(serializers.CharField):
    """A JSON string: 1-200 characters after trimming, no control characters (Unicode category Cc)."""

    default_error_messages = {"control": "Control characters are not allowed."}  # noqa: RUF012 - DRF's way

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=NAME_MAX, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> str:
        text = given_text(self, data).strip()
        if not text:
            self.fail("blank")
        if len(text) > NAME_MAX:
            self.fail("max_length", max_length=NAME_MAX)
        if not text.isprintable() and any(unicodedata.category(character) == "Cc" for character in text):
            self.fail("control")
        return text


class StrictEmailField(serializers.EmailField):
    """A JSON string: a valid address of at most 254 characters, 64 octets before the @ (RFC 5321 §4.5.3.1.1)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=EMAIL_MAX, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> str:
        text = given_text(self, data)
        if len(text) > EMAIL_MAX:
            self.fail("max_length", max_length=EMAIL_MAX)
        if not _is_address(text) or len(text.rpartition("@")[0].encode()) > LOCAL_MAX:
            self.fail("invalid")
        return text


class OneOf(serializers.ChoiceField):
    """A JSON string of a list. DRF's field applies str() to any value, which fails for 1,000 nested brackets."""

    def __init__(self, choices: Sequence[str], **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        self.error_messages["invalid_choice"] = f"Choose one of: {', '.join(choices)}."

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice")
        return data


class UserSerializer(StrictSerializer):
    """A user."""

    id = serializers.UUIDField(read_only=True, help_text="UUIDv7, lower case; sorts by creation.")
    name = NameField(help_text="1-200 characters after trimming, no control characters.")
    email = StrictEmailField(help_text="Kept as given, unique case-insensitively.")
    role = OneOf(ROLES, default="user", initial="user", help_text="What the user may do.")
    created_at = serializers.DateTimeField(read_only=True, help_text="RFC 3339, UTC, microseconds.")
    updated_at = serializers.DateTimeField(read_only=True, help_text="RFC 3339, UTC, microseconds.")


class UserPageSerializer(serializers.Serializer[Any]):
    """A page of users, newest first."""

    count = serializers.IntegerField(
        min_value=0, required=False, help_text="The number of all users. Absent with `count=false`."
    )
    next = serializers.URLField(allow_null=True, help_text="The next page (older users), or null.")
    previous = serializers.URLField(allow_null=True, help_text="The previous page (newer users), or null.")
    next_cursor = serializers.CharField(allow_null=True, help_text="The `cursor` of the next page, or null.")
    previous_cursor = serializers.CharField(allow_null=True, help_text="The `cursor` of the previous page, or null.")
    results = UserSerializer(many=True)


class PageQuerySerializer(StrictSerializer):
    """The query of a list."""

    limit = WholeNumberField(min_value=1, max_value=100, default=20)
    cursor = serializers.CharField(max_length=100, required=False)
    email = StrictEmailField(required=False)
    count = OneOf(("true", "false"), default="true")
