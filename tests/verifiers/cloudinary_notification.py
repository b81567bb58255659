"""Verifies one notification with PyPI's `cloudinary`. Exit 0: accepted, 1: refused."""

import base64
import json
import sys

import cloudinary
from cloudinary.utils import verify_notification_signature

request = json.load(sys.stdin)
cloudinary.config(api_secret=request["secret"])
accepted = verify_notification_signature(
    base64.b64decode(request["body"]).decode("utf-8"),
    int(request["headers"]["x-cld-timestamp"]),
    request["headers"]["x-cld-signature"],
    algorithm=request["algorithm"],
)
if not accepted:
    print("the signature does not fit")
    sys.exit(1)
