#!/usr/bin/python3
"""mailcrash.py COMMAND: hands a letter to COMMAND when a process ends unexpectedly."""
import subprocess
import sys

from supervisor import childutils


def main(command):
    while True:
        headers, payload = childutils.listener.wait()
        fields, _ = childutils.eventdata(payload + "\n")
        if headers["eventname"] == "PROCESS_STATE_EXITED" and not int(fields["expected"]):
            letter = "Subject: %(processname)s crashed\n\n%(processname)s in group %(groupname)s (from %(from_state)s)\n" % fields
            subprocess.run(command, shell=True, input=letter, text=True, check=True)
        childutils.listener.ok()


main(sys.argv[1])
