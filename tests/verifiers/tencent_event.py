"""Reads one event with the models of PyPI's `tencentcloud-sdk-python-vod`, which has no function that verifies: `Sign` is made
anew, as its documentation of `SignKey` says. Exit 0: accepted, 1: refused."""

import base64
import hashlib
import json
import sys
import time
import warnings

from tencentcloud.vod.v20180717 import models


def refuse(reason):
    print(reason)
    sys.exit(1)


def check_types(value, where):
    """The documentation of each property says of what type it is."""
    for name, held in vars(value).items():
        if held is None:
            continue
        documented = (getattr(type(value), name[1:]).__doc__ or "").rpartition(":rtype:")[2].strip()
        of = {"str": str, "int": int, "float": (int, float)}.get(documented)
        if of is not None and not isinstance(held, of):
            refuse(f"{where}.{name[1:]} is no {documented}: {held!r}")
        for item in held if isinstance(held, list) else [held]:
            if hasattr(item, "_deserialize"):
                check_types(item, f"{where}.{name[1:]}")


request = json.load(sys.stdin)
event = json.loads(base64.b64decode(request["body"]))
sign, t = event.pop("Sign"), event.pop("T")
if sign != hashlib.md5(f"{request['secret']}{t}".encode()).hexdigest():
    refuse("the signature does not fit")
if not isinstance(t, int) or not 0 < t - time.time() <= 600:
    refuse(f"it is not valid now, but until {t}")

content = models.EventContent()
warnings.simplefilter("error")
try:
    content.from_json_string(json.dumps(event))
except UserWarning as unknown:
    refuse(unknown)
check_types(content, "EventContent")

task = content.ProcedureStateChangeEvent
if content.EventType != "ProcedureStateChanged" or task.TaskId != "0199c8f0-0000-7000-8000-000000000001":
    refuse(f"{content.EventType} of {task.TaskId}")
results = [(result.Type, result.TranscodeTask.Status) for result in task.MediaProcessResultSet]
seen = (task.Status, results, task.SessionContext)
if task.Status == "PROCESSING":
    wanted = ("PROCESSING", [("Transcode", "SUCCESS")], "album-7")
else:
    wanted = ("FINISH", [("Transcode", "SUCCESS"), ("Transcode", "FAIL")], "album-7")
    film = task.MediaProcessResultSet[0].TranscodeTask
    made = (film.Input.Definition, film.Output.Url, film.Output.Size, film.Output.Md5)
    if made != (100010, "https://cdn.example/media/cat.mp4", 372613, "7f10"):
        refuse(made)
    if (task.MetaData.VideoStreamSet[0].Fps, task.MetaData.AudioStreamSet[0].Codec) != (30, "aac"):
        refuse(task.MetaData)
if seen != wanted:
    refuse(seen)
