"""Call-backs that are made by other people's programs: `standardwebhooks` signs one, the models of Tencent's SDK write some, and
`moto` posts one to the endpoint that it is given, signed with a certificate of its own. Prints what the endpoint can not see."""

import datetime
import json
import sys
import time

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.sns.models import sns_backends
from standardwebhooks.webhooks import Webhook
from tencentcloud.vod.v20180717 import models

REGION = "eu-central-1"
asked = json.load(sys.stdin)


def standard():
    body = json.dumps({"type": "job.completed", "timestamp": "2026-05-04T10:20:30Z", "data": {"job": "ø 17"}})
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    signature = Webhook(asked["secret"]).sign("msg_17", now, body)
    headers = {"webhook-id": "msg_17", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    return {"headers": headers, "body": body}


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(held) for name, held in value.items() if held is not None}
    return [without_nulls(held) for held in value] if isinstance(value, list) else value


def tencent():
    film = models.MediaProcessTaskTranscodeResult()
    film.Status, film.ErrCode, film.ErrCodeExt, film.Message, film.Progress = "SUCCESS", 0, "", "SUCCESS", 100
    film.Input = models.TranscodeTaskInput()
    film.Input.Definition = 100010
    film.Output = models.MediaTranscodeItem()
    film.Output.Url, film.Output.Size, film.Output.Container = "http://cdn.example/a.f100010.mp4", 372613, "mp4"
    film.Output.Width, film.Output.Height, film.Output.Duration = 640, 360, 5.13
    film.Output.Md5, film.Output.Definition = "7f106918e02a69466afa0ee014174143", 100010
    result = models.MediaProcessTaskResult()
    result.Type, result.TranscodeTask = "Transcode", film
    task = models.ProcedureTask()
    task.TaskId, task.Status, task.ErrCode, task.FileId = "1256768367-Procedure-17", "FINISH", 0, "5285890784246869930"
    task.SessionContext, task.MediaProcessResultSet = "album-7", [result]
    event = models.EventContent()
    event.EventHandle, event.EventType, event.ProcedureStateChangeEvent = "handle-1", "ProcedureStateChanged", task
    pulled = models.PullEventsResponse()
    pulled.EventSet, pulled.RequestId = [event], "r-1"
    # As format 3.0 posts it: without what is null, and without a handle.
    posted = without_nulls(json.loads(event.to_json_string()))
    posted.pop("EventHandle")
    return {"posted": posted, "pulled": {"Response": json.loads(pulled.to_json_string())}, "now": int(time.time())}


def sns():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"region_name": REGION, "aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    client = boto3.client("sns", endpoint_url=f"http://{host}:{port}", **keys)
    topic = client.create_topic(Name="media")["TopicArn"]
    client.subscribe(TopicArn=topic, Protocol="http", Endpoint=asked["endpoint"])
    detail = {"jobId": "1539811467866-e3xcm1", "status": "COMPLETE", "userMetadata": {"album": "ø"}}
    event = {"version": "0", "id": "1a2b", "source": "aws.mediaconvert", "detail": detail}
    id_ = client.publish(TopicArn=topic, Message=json.dumps(event, ensure_ascii=False))["MessageId"]
    pems = {name: pem.decode() for name, pem in sns_backends[DEFAULT_ACCOUNT_ID][REGION]._message_public_keys.items()}
    server.stop()
    return {"topic": topic, "id": id_, "pems": pems}


print(json.dumps({"standard": standard(), "tencent": tencent(), "sns": sns()}))
