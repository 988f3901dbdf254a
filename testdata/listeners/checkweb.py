#!/usr/bin/python3
"""checkweb.py PROGRAM URL: restarts PROGRAM when URL does not answer."""
import os
import sys
import urllib.request

from supervisor import childutils


def main(program, url):
    rpc = childutils.getRPCInterface(os.environ)
    while True:
        childutils.listener.wait()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError as e:
            print("no answer:", e, file=sys.stderr, flush=True)
            if rpc.supervisor.getProcessInfo(program)["statename"] == "RUNNING":
                rpc.supervisor.stopProcess(program)
                rpc.supervisor.startProcess(program)
        childutils.listener.ok()


main(sys.argv[1], sys.argv[2])
