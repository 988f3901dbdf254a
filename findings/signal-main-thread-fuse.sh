#!/usr/bin/env bash
# A Go daemon that waits for SIGTERM with signal.Notify never hears it while its main
# thread waits for a FUSE file system that does not answer, although its other threads
# are idle and none blocks the signal. The kernel gives a signal for a process to the
# main thread whenever that one does not block it, and a FUSE request that a signal has
# interrupted goes on waiting for its answer. One would expect that any thread takes the
# signal, as signal(7) says. Where another thread waits it is heard at once.
# The way out: runtime.LockOSThread in an init, and nothing slow in the main goroutine.
#
# Seen with Linux 6.18, go1.26.8 and github.com/hanwen/go-fuse/v2 v2.12.1:
#   another thread waits: SIGTERM heard
#   the main thread waits: SIGTERM not heard in 5s, pending: 0000000000004000
# It needs root and /dev/fuse.
set -euo pipefail
dir=$(mktemp -d)
trap 'umount -l "$dir/mnt" 2>/dev/null || true; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
mkdir mnt
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init example.test/signal 2>/dev/null
go get github.com/hanwen/go-fuse/v2@v2.12.1 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// hung is a root directory that never says whether a name is in it.
type hung struct{ fs.Inode }

func (*hung) Lookup(context.Context, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) { select {} }

func init() { runtime.LockOSThread() } // the main goroutine has the main thread

func main() {
	switch os.Args[1] {
	case "serve":
		server, err := fs.Mount("mnt", &hung{}, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("mounted")
		server.Wait()
	case "daemon":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		go func() {
			<-signals
			fmt.Println("SIGTERM heard")
		}()
		if os.Args[2] == "main" {
			os.Stat("mnt/file")
		}
		go os.Stat("mnt/file")
		select {}
	case "try":
		daemon := exec.Command(os.Args[0], "daemon", os.Args[2])
		said, err := daemon.StdoutPipe()
		if err != nil {
			panic(err)
		}
		if err := daemon.Start(); err != nil {
			panic(err)
		}
		time.Sleep(time.Second)
		daemon.Process.Signal(syscall.SIGTERM)
		heard := make(chan string)
		go func() {
			line, _ := bufio.NewReader(said).ReadString('\n')
			heard <- line
		}()
		select {
		case line := <-heard:
			fmt.Print(line)
		case <-time.After(5 * time.Second):
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
			fmt.Printf("SIGTERM not heard in 5s, pending: %s\n", regexp.MustCompile(`ShdPnd:\s*(\w+)`).FindSubmatch(status)[1])
		}
		daemon.Process.Kill() // it ends with the file system
	}
}
GO
go build -o program .
./program serve >served &
server=$!
trap 'kill -9 "$server"; umount -l "$dir/mnt" 2>/dev/null || true; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
for _ in $(seq 100); do ! grep -q mounted served || break; sleep 0.1; done
grep -q mounted served
for want in "other:another thread waits: SIGTERM heard" "main:the main thread waits: SIGTERM not heard in 5s, pending: 0000000000004000"; do
  who=${want%%:*} want=${want#*:}
  got="${want%%:*}: $(./program try "$who")"
  echo "$got"
  [ "$got" = "$want" ] || { echo "expected: $want"; exit 1; }
done
uname -r
go version
