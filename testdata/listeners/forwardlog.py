#!/usr/bin/python3
"""forwardlog.py FILE: appends what processes write, each line with its origin."""
import sys

from supervisor import childutils


def main(path):
    with open(path, "a") as out:
        while True:
            _, payload = childutils.listener.wait()
            fields, data = childutils.eventdata(payload)
            for line in data.splitlines():
                out.write("%s/%s: %s\n" % (fields["processname"], fields["channel"], line))
            out.flush()
            childutils.listener.ok()


main(sys.argv[1])
