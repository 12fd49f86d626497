"""How OpenAPI describes the form that a clip comes in."""

from __future__ import annotations

from typing import Any

from affuse.serving.asking import FIELDS

_PROPERTIES = {name: {**schema, "description": meaning} for name, (schema, meaning) in FIELDS.items()}
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["clip"],
                    "properties": _PROPERTIES,
                    "additionalProperties": False,
                }
            }
        },
    }
}
