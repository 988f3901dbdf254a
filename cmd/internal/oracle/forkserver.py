# Runs supervisorctl once for each line of standard input, a JSON object: the
# working directory, the environment, the arguments (null for none), the files
# that are its standard streams, and whether a process of its own is needed.
# Answers with a line that holds the exit status.
import gc
import json
import os
import sys
import time
import traceback

from supervisor import events, rpcinterface, supervisorctl  # the first two are imported later by a command

requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
errors = sys.stdin.errors, sys.stdout.errors, sys.stderr.errors


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
    sys.stdin = open(0, errors=errors[0], closefd=False)
    sys.stdout = open(1, "w", errors=errors[1], closefd=False)
    sys.stderr = open(2, "w", errors=errors[2], closefd=False)
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
    return status


gc.collect()
gc.freeze()  # what is here now stays: to collect is cheap
for line in requests:
    request = json.loads(line)
    if not request["own"]:
        status = run(request)
        gc.collect()  # closes its connection
    else:
        child = os.fork()
        if child == 0:
            os._exit(run(request))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    answers.write("%d\n" % status)
    answers.flush()
