#!/usr/bin/env bash
# A process of which another thread than the main one executes a program is a zombie for all
# who look at /proc until that thread has taken the main one's place, and crun will not send it
# a signal: "kill container: No such process". One would expect that a process with a number, a
# parent and children that goes on with the same number is alive the whole time, and that
# `crun kill`, and with it `podman stop`, finds a container that runs.
#
# The kernel ends the other threads first (de_thread), the main one among them, which stands in
# /proc as ended until the thread that executes has got its number. crun looks at the state in
# /proc/PID/stat before it sends a signal, and takes Z for a container that is gone. A program
# that is to be replaced by another in the same process, as a supervisor that upgrades itself
# is, should have its main thread do that: then nobody sees a zombie.
#
# Seen with Linux 6.18.44, crun 1.8.1-1+deb12u1 and python3.11 3.11.2-6+deb12u6, of 600 calls of
# `crun kill` while a program of 40 threads executes itself without a pause:
#   by a thread: refused 5 or 6, by the main thread: refused 0
# Needs root, for the container.
set -euo pipefail
if [ "${1:-}" != own-mounts ]; then exec unshare --mount "$0" own-mounts; fi
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup # all that crun knows
dir=$(mktemp -d)
trap 'for n in thread main; do crun --root "$dir/run" --cgroup-manager=disabled delete -f "zombie-$n" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
chmod 755 "$dir" # apt downloads as a user of its own
cd "$dir"
mkdir -m 777 packages
(cd packages && apt-get download -q=2 crun=1.8.1-1+deb12u1)
for deb in packages/*.deb; do dpkg -x "$deb" tools; done
PATH=$dir/tools/usr/bin:$PATH
mkdir -p bundle/rootfs/{usr,proc,dev,program}
for name in bin lib lib64; do ln -s usr/$name bundle/rootfs/$name; done
cat >again.py <<'EOF'
import os, sys, threading, time

def again():
    os.execv(sys.executable, [sys.executable, *sys.argv])

for _ in range(40):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
weight = bytearray(64 << 20)
for i in range(0, len(weight), 4096):
    weight[i] = 1
if sys.argv[1] == "thread":
    threading.Thread(target=again).start()
    time.sleep(1000)
again()
EOF
cp again.py bundle/rootfs/program/
refused=()
for who in thread main; do
  python3 - "$who" >bundle/config.json <<'EOF'
import json, sys
json.dump({
    "ociVersion": "1.0.0",
    "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/usr/bin/python3", "/program/again.py", sys.argv[1]], "env": ["PATH=/usr/bin"]},
    "root": {"path": "rootfs", "readonly": True},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
    ],
    "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
}, sys.stdout)
EOF
  crun --root "$dir/run" --cgroup-manager=disabled run -d --bundle bundle "zombie-$who" </dev/null >output 2>&1 || { cat output; exit 1; }
  n=0
  for _ in $(seq 600); do
    if ! crun --root "$dir/run" --cgroup-manager=disabled kill "zombie-$who" WINCH 2>error; then
      grep -q "No such process" error || { cat error; exit 1; }
      n=$((n + 1))
    fi
  done
  crun --root "$dir/run" --cgroup-manager=disabled delete -f "zombie-$who"
  refused+=("$n")
done
echo "crun kill was refused ${refused[0]} times of 600 when a thread executes, ${refused[1]} when the main one does"
[ "${refused[0]}" -gt 0 ] && [ "${refused[1]}" = 0 ]
