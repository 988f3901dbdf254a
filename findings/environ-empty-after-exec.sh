#!/usr/bin/env bash
# A process whose start has succeeded may have no environment and no arguments in /proc for a
# moment. One would expect that once os/exec's Start (or vfork, or posix_spawn) has returned
# without an error, /proc/PID/environ and /proc/PID/cmdline are those that the process was
# given, and that an empty environment means that it was given none.
#
# Go and libc learn of a successful exec by a descriptor that is closed on exec, or as vfork
# lets go. Linux does both once the process has its new address space, which has no arguments
# yet: they are put there when the program has been loaded. So whoever looks for a process
# by a variable, as supervisors, CI systems and job managers do to find what a build has left
# running, misses one that was started just then. A process in that state can be told from one
# without an environment: it has an address space (field 23 of /proc/PID/stat is not 0) and
# not even a cmdline. It has to be asked again.
#
# Seen with Linux 6.18.44, go1.26.8 linux/amd64 and github.com/shirou/gopsutil/v4 v4.26.10, of
# 2000 processes that were looked at right after Start had returned:
#   without the variable that they were given: 53 to 56, a millisecond later: 0
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init example.test/environ 2>/dev/null
go get github.com/shirou/gopsutil/v4@v4.26.10 2>/dev/null
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const starts, mark = 2000, "JOB=17"

func marked(pid int) bool {
	p := &process.Process{Pid: int32(pid)}
	env, err := p.Environ()
	if err != nil {
		panic(err)
	}
	return slices.Contains(env, mark)
}

func main() {
	atOnce, later := 0, 0
	for range starts {
		cmd := exec.Command("/bin/sleep", "60")
		cmd.Env = []string{mark}
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		if !marked(cmd.Process.Pid) {
			atOnce++
		}
		time.Sleep(time.Millisecond)
		if !marked(cmd.Process.Pid) {
			later++
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	fmt.Printf("%s %s/%s: of %d processes, without their variable right after Start: %d, a millisecond later: %d\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, starts, atOnce, later)
	if atOnce == 0 {
		fmt.Println("changed: it is there at once")
		os.Exit(1)
	}
}
EOF
uname -sr
go run .
