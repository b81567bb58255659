"""Reads a message with the types of Python's `courier`, and sends it to the API at a URL, as Courier's own library does."""

import json
import sys
import typing

from courier import Courier
from courier.types import send_message_params as types
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

# What Courier does not know would be ignored there.
for known in filter(is_typeddict, vars(types).values()):
    known.__pydantic_config__ = {"extra": "forbid"}
asked = json.load(sys.stdin)
message = asked["message"]
TypeAdapter(types.Message).validate_python(message)
# Of several recipients, each would be read only when it is asked for.
one = tuple(filter(is_typeddict, typing.get_args(types.MessageTo)))
TypeAdapter(typing.Union[one]).validate_python(message["to"])
Courier(api_key=asked["token"], base_url=asked["url"]).send.message(message=message, idempotency_key=asked["key"])
