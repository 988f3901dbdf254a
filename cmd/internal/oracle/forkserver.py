# Runs supervisorctl once for each line of standard input, a JSON object: the
# working directory, the environment, the arguments (null for none), and the files
# that are its standard streams. Answers with a line that holds the exit status.
import json
import os
import sys
import time
import traceback

from supervisor import supervisorctl


def run(request):
    os.chdir(request["dir"])
    os.environ.clear()
    os.environ.update(variable.split("=", 1) for variable in request["env"])
    time.tzset()
    files = request["files"]
    fds = [os.open(files["in"], os.O_RDONLY)] + [
        os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for name in ("out", "err")
    ]
    for fd, source in enumerate(fds):
        os.dup2(source, fd)
        os.close(source)
    sys.stdin = open(0, errors=sys.stdin.errors)
    sys.stdout = open(1, "w", errors=sys.stdout.errors)
    sys.stderr = open(2, "w", errors=sys.stderr.errors)
    sys.argv = ["/usr/bin/supervisorctl"] + (request["args"] or [])
    status = 0
    try:
        supervisorctl.main()
    except SystemExit as e:
        status = e.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


while True:
    line = sys.stdin.readline()
    if not line:
        break
    child = os.fork()
    if child == 0:
        run(json.loads(line))
    _, status = os.waitpid(child, 0)
    sys.stdout.write("%d\n" % os.waitstatus_to_exitcode(status))
    sys.stdout.flush()
