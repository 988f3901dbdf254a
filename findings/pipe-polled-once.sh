#!/usr/bin/env bash
# A pipe that was polled once takes more processor time for each later write, for as long as it
# exists. One would expect poll(2) to be a question: once it has been answered, and nobody waits
# any more, a write costs what it did before.
#
# The first poll, select or epoll_ctl of a pipe marks it, and nothing unmarks it, not
# even taking it out of the epoll instance. From then on each write wakes whoever may wait,
# though the pipe was not empty and the list of those who wait is; on a pipe that was never polled only
# the write into an empty one does. So the writer of many short lines pays for how its reader
# waits: with every supervisor, log shipper or terminal that uses poll (nearly all),
# and less under one that blocks in read, as cat and tee do. A reader that stops polling
# while much is written gains nothing; it would have to have never begun.
#
# Seen with Linux 6.18.44, go1.26.8 linux/amd64 and golang.org/x/sys v0.38.0, processor
# time of a writer of 4,000,000 lines of 100 bytes to a reader that sleeps between its
# reads, medians of 7:
#   never polled 3.03 s (2.80 to 3.25), polled once 3.49 s (3.22 to 3.86): 1.15 times as much
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init example.test/pipe 2>/dev/null
go get golang.org/x/sys@v0.38.0 2>/dev/null
cat >main.go <<'END'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const lines, rounds = 4_000_000, 7

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// write is the writer, which has the pipe as its standard output.
func write() {
	line := make([]byte, 100)
	for i := range line {
		line[i] = 'x'
	}
	line[99] = '\n'
	for range lines {
		_, err := unix.Write(1, line)
		check(err)
	}
}

// used is the processor time of a writer.
func used(polled bool) time.Duration {
	var p [2]int
	check(unix.Pipe2(p[:], unix.O_CLOEXEC))
	if polled {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLIN}}, 0)
		check(err)
	}
	out := os.NewFile(uintptr(p[1]), "pipe")
	cmd := exec.Command(os.Args[0], "write")
	cmd.Stdout = out
	check(cmd.Start())
	check(out.Close())
	for buf := make([]byte, 128<<10); ; {
		n, err := unix.Read(p[0], buf)
		check(err)
		if n == 0 {
			break
		}
		nap := unix.NsecToTimespec(int64(50 * time.Microsecond))
		unix.Nanosleep(&nap, nil)
	}
	check(cmd.Wait())
	check(unix.Close(p[0]))
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func main() {
	if len(os.Args) > 1 {
		write()
		return
	}
	var never, once []time.Duration
	for range rounds {
		never, once = append(never, used(false)), append(once, used(true))
	}
	slices.Sort(never)
	slices.Sort(once)
	a, b := never[rounds/2], once[rounds/2]
	fmt.Printf("%s %s/%s: never polled %.2f s (%.2f to %.2f), polled once %.2f s (%.2f to %.2f): %.2f times as much\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, a.Seconds(), never[0].Seconds(), never[rounds-1].Seconds(),
		b.Seconds(), once[0].Seconds(), once[rounds-1].Seconds(), b.Seconds()/a.Seconds())
	if b*100 < a*105 {
		fmt.Println("changed: a write costs the same")
		os.Exit(1)
	}
}
END
uname -sr
go build -o pipe .
./pipe
