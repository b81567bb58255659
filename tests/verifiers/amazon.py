"""`moto`, which speaks Amazon's protocols: prints its address, then for each line that it reads what has arrived, as JSON."""

import email
import email.policy
import json
import sys
from email.utils import parseaddr

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

REGION = "eu-central-1"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
keys = {"region_name": REGION, "endpoint_url": endpoint, "aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
sns, sqs, ses = (boto3.client(name, **keys) for name in ("sns", "sqs", "sesv2"))
fifo = {"FifoTopic": "true"}
topic = sns.create_topic(Name="media.fifo", Attributes=fifo)["TopicArn"]
queue = sqs.create_queue(QueueName="media.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
ses.create_email_identity(EmailIdentity="media@app.example")
print(json.dumps({"endpoint": endpoint, "topic": topic}), flush=True)

for _ in sys.stdin:
    told = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
    for message in told:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    mails = []
    for sent in ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages:
        mail = email.message_from_string(sent.raw_data, policy=email.policy.default)
        # `moto` adds the header's recipients to those of the request.
        to = {parseaddr(address)[1] for address in sent.destinations}
        mails.append({"to": sorted(to), "subject": mail["subject"], "type": mail.get_content_type()})
    names = ("MessageGroupId", "MessageDeduplicationId")
    notes = [{**{name: m["Attributes"].get(name) for name in names}, "note": json.loads(m["Body"])} for m in told]
    print(json.dumps({"notes": notes, "mails": mails}), flush=True)
server.stop()
