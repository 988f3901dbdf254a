# Runs supervisorctl once for each line of standard input, a JSON object: the
# working directory, the arguments, and a directory with the file "in", to which
# "out" and "err" are written. Answers with a line that holds the exit status.
import json
import os
import sys
import traceback

from supervisor import supervisorctl


def run(request):
    os.chdir(request["dir"])
    os.environ["HOME"] = os.environ["XDG_RUNTIME_DIR"] = request["dir"]
    files = request["files"]
    fds = [os.open(os.path.join(files, "in"), os.O_RDONLY)] + [
        os.open(os.path.join(files, name), os.O_WRONLY | os.O_CREAT, 0o600) for name in ("out", "err")
    ]
    for fd, source in enumerate(fds):
        os.dup2(source, fd)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    sys.argv = ["/usr/bin/supervisorctl"] + request["args"]
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
