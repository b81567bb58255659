"""Verifies one webhook with PyPI's `svix`. Exit 0: accepted, 1: refused."""

import base64
import json
import sys

from svix.webhooks import Webhook, WebhookVerificationError

request = json.load(sys.stdin)
try:
    Webhook(request["secret"]).verify(base64.b64decode(request["body"]), request["headers"])
except WebhookVerificationError as refusal:
    print(refusal)
    sys.exit(1)
