"""Verifies the header of a push message with Python's `py-vapid`, as a push service does: the header in, its claims out."""

import base64
import sys

from py_vapid import Vapid02

scheme, parameters = sys.stdin.read().split(" ", 1)
assert scheme == "vapid"
parameters = dict(parameter.strip().split("=", 1) for parameter in parameters.split(","))
# RFC 9110 allows a blank behind the comma, and `py-vapid` does not.
if not Vapid02.verify(f"vapid t={parameters['t']},k={parameters['k']}"):
    sys.exit("the signature does not fit")
claims = parameters["t"].split(".")[1]
print(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).decode())
