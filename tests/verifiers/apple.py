"""Apple's side of a push, by PyPI's `h2`, until its input ends: prints its address and a key for its token, then what each
request says, as JSON. The token is verified with `cryptography`. A device of zeros is not registered any more."""

import base64
import json
import socket
import sys
import threading

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

KEY = ec.generate_private_key(ec.SECP256R1())


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(authorization):
    scheme, _, token = authorization.partition(" ")
    text, _, signature = token.rpartition(".")
    signature = decoded(signature)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        KEY.public_key().verify(utils.encode_dss_signature(r, s), text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return None
    head, body = (json.loads(decoded(part)) for part in text.split("."))
    return {"scheme": scheme, **head, **body}


def answer(connection, stream, headers, body, number):
    told = {"connection": number, "headers": headers, "claims": claims(headers["authorization"])}
    print(json.dumps({**told, "body": json.loads(body)}), flush=True)
    gone = headers[":path"].endswith("/" + "0" * 64)
    said = json.dumps({"reason": "Unregistered", "timestamp": 1700000000000}).encode() if gone else b""
    status = "410" if gone else "200"
    connection.send_headers(stream, [(":status", status), ("apns-id", headers["apns-id"])], end_stream=not said)
    if said:
        connection.send_data(stream, said, end_stream=True)


def serve(peer, number):
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    streams = {}
    peer.sendall(connection.data_to_send())
    while data := peer.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                streams[event.stream_id] = (dict(event.headers), bytearray())
            elif isinstance(event, DataReceived):
                streams[event.stream_id][1].extend(event.data)
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                headers, body = streams.pop(event.stream_id)
                answer(connection, event.stream_id, headers, bytes(body), number)
        peer.sendall(connection.data_to_send())


def listen(server):
    number = 0
    while True:
        peer, _ = server.accept()
        number += 1
        threading.Thread(target=serve, args=(peer, number), daemon=True).start()


server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=listen, args=(server,), daemon=True).start()
pem = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
print(json.dumps({"endpoint": "http://127.0.0.1:%d" % server.getsockname()[1], "key": pem}), flush=True)
sys.stdin.read()
