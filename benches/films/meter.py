"""Runs a program to its end and writes what it took: the same meter for each contestant.

Seconds on the clock, seconds of processor time (user and system, all threads and children that were waited for) and
kilobytes of the largest process at its peak, as the system counts them. The program's exit status is passed on.
"""

import json
import os
import sys
import time

begin = time.monotonic()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
wall = time.monotonic() - begin
print(json.dumps({"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kb": usage.ru_maxrss}))
sys.exit(os.waitstatus_to_exitcode(status))
