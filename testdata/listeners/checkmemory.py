#!/usr/bin/python3
"""checkmemory.py PROGRAM BYTES: restarts PROGRAM when its resident set is larger."""
import os
import sys

from supervisor import childutils


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def main(program, limit):
    rpc = childutils.getRPCInterface(os.environ)
    while True:
        headers, _ = childutils.listener.wait()
        if headers["eventname"].startswith("TICK"):
            for info in rpc.supervisor.getAllProcessInfo():
                if info["name"] == program and info["pid"] and resident(info["pid"]) > limit:
                    name = "%(group)s:%(name)s" % info
                    rpc.supervisor.stopProcess(name)
                    rpc.supervisor.startProcess(name)
                    print("restarted", name, file=sys.stderr, flush=True)
        childutils.listener.ok()


main(sys.argv[1], int(sys.argv[2]))
