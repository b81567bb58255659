"""Reads a message with Python's `slack_sdk`, checks its blocks, and posts it to the Web API at a URL, as a bot of Slack does."""

import inspect
import json
import sys

from slack_sdk import WebClient
from slack_sdk.models.blocks import Block

asked = json.load(sys.stdin)
message = asked["message"]
named = inspect.signature(WebClient.chat_postMessage).parameters
unknown = [name for name in message if name not in named]
assert not unknown, f"the Web API has no {unknown}"
assert len(message["blocks"]) <= 50
for block in message["blocks"]:
    read = Block.parse(block)
    assert type(read) is not Block, f"no block is a {block['type']}"
    # Lengths are among what it checks.
    read.validate_json()
    assert read.to_dict() == block, f"{block} has more than Slack knows"
WebClient(asked["token"], base_url=asked["url"]).chat_postMessage(**message)
