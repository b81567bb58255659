"""An SMTP server that is not ours: prints its port, then each mail as one line of JSON, read by Python's own parser."""
import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.controller import Controller

ANSWERS = {
    "gone": "550 5.1.1 no such user",
    "busy": "451 4.7.1 come back later",
    "full": "552 5.2.2 too much",
    "policy": "550 5.7.26 unauthenticated mail is not taken",
    "never": "554 5.7.1 not here",
}


def tree(part):
    node = {"type": part.get_content_type(), "headers": {name.lower(): str(value) for name, value in part.items()}}
    if part.is_multipart():
        node["parts"] = [tree(inner) for inner in part.iter_parts()]
    elif part.get_content_maintype() == "text":
        node["text"] = part.get_content()
    else:
        node["bytes"] = len(part.get_content())
    return node


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = ANSWERS.get(address.split("@")[0])
        if answer:
            return f"{answer}: {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        defects = [repr(defect) for part in mail.walk() for defect in part.defects]
        seen = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "mail": tree(mail), "defects": defects}
        print(json.dumps(seen), flush=True)
        if envelope.rcpt_tos[0].startswith("slow@"):
            await asyncio.sleep(5)
        return "250 2.0.0 queued as 4711"


controller = Controller(Handler(), hostname="127.0.0.1", port=0)
# The controller asks its own port to see that it listens, and has to know which it is.
import socket

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    controller.port = free.getsockname()[1]
controller.start()
print(controller.port, flush=True)
sys.stdin.read()
controller.stop()
