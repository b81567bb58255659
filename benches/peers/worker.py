"""The Python workers' side of the benchmark's protocol (child.rs): JSON lines in, JSON lines out."""

import json
import pathlib
import re
import sys
import time

STATUS = pathlib.Path("/proc/self/status")
CLEAR_REFS = pathlib.Path("/proc/self/clear_refs")


def serve(version, render):
    """Answers requests until the input ends; `render(data, request)` returns the files' bytes."""
    _say({"version": version})
    for line in sys.stdin:
        _say(_measure(json.loads(line), render))


def _measure(request, render):
    inputs = [pathlib.Path(path).read_bytes() for path in request["inputs"]]
    repeat = request["repeat"]
    CLEAR_REFS.write_text("5")  # VmHWM starts again from the present size
    before = _status("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        outputs = [output for data in inputs for output in render(data, request)]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = max(0, _status("VmHWM") - before)  # the kernel counts in batches
    names = [f"{number}-{width}.{request['format']}" for number in range(len(inputs)) for width in request["widths"]]
    files = [pathlib.Path(request["out"], name) for name in names]
    for file, output in zip(files, outputs, strict=True):
        file.write_bytes(output)
    return {
        "cpu_ms": cpu * 1e3 / repeat,
        "wall_ms": wall * 1e3 / repeat,
        "peak_kb": peak,
        "threads": _status("Threads"),
        "files": [str(file) for file in files],
    }


def _status(field):
    return int(re.search(rf"^{field}:\s+(\d+)", STATUS.read_text(), re.MULTILINE)[1])


def _say(message):
    print(json.dumps(message), flush=True)
