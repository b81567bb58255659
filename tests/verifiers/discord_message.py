"""Builds a message with Python's `discord-webhook` from the parts of one of ours: of an embed it takes what it knows."""

import json
import sys

from discord_webhook import DiscordEmbed, DiscordWebhook

message = json.load(sys.stdin)
webhook = DiscordWebhook(url="https://discord.com/api/webhooks/1/x")
webhook.allowed_mentions = message["allowed_mentions"]
for embed in message["embeds"]:
    built = DiscordEmbed(**{name: value for name, value in embed.items() if name != "fields"})
    for field in embed["fields"]:
        built.add_embed_field(inline=False, **field)
        # Which is what is meant without it.
        del built.fields[-1]["inline"]
    webhook.add_embed(built)
sends = webhook.json
for embed in sends["embeds"]:
    for name in [name for name, value in embed.items() if value is None]:
        del embed[name]
for field in ["embeds", "allowed_mentions"]:
    assert sends[field] == message[field], f"it would send {sends[field]}"
assert set(message) <= set(sends), "there is more than it knows"
