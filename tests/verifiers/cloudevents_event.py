"""Reads one event with PyPI's `cloudevents`. Exit 0: it is from this source and about an output, 1: it is not."""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat

request = json.load(sys.stdin)
event = from_http(HTTPMessage(request["headers"], base64.b64decode(request["body"])), JSONFormat())
data = event.get_data()
data = json.loads(data) if isinstance(data, (bytes, str)) else data
seen = [event.get_source(), event.get_type(), event.get_subject(), data["output"]["width"]]
if seen != [request["secret"], "mediaflow.output.ready", "0199c8f0-0000-7000-8000-000000000001", 320]:
    print(seen)
    sys.exit(1)
