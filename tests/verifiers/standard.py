"""Verifies one webhook with PyPI's `standardwebhooks` or `svix`. Exit 0: accepted, 1: refused."""

import base64
import importlib
import json
import sys

request = json.load(sys.stdin)
library = importlib.import_module(f"{request['algorithm']}.webhooks")
try:
    library.Webhook(request["secret"]).verify(base64.b64decode(request["body"]), request["headers"])
except library.WebhookVerificationError as refusal:
    print(refusal)
    sys.exit(1)
