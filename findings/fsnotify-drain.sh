#!/usr/bin/env bash
# fsnotify's channel of events holds none: its goroutine hands them over one by one. So what
# many programs do to take a burst as one, to receive until the channel has nothing ready,
# ends after the first event, however many wait in the kernel. One would expect it to take
# all that has happened up to then. With runtime.Gosched before each of 32 looks it takes all
# of them or one, by whether the goroutine is on another thread by then. A channel of
# NewBufferedWatcher holds some, and then its reader wakes up for every write. What remains
# is to go by time.
#
# Seen with go1.26.8 linux/amd64 and github.com/fsnotify/fsnotify v1.10.1, 200 files created
# in a watched directory half a second before:
#   with 1 look(s) it takes 1 of at least 400 events
#   with 32 look(s) it takes 1, 32 or 400 of at least 400 events
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod CGO_ENABLED=0
go mod init example.test/drain 2>/dev/null
go get github.com/fsnotify/fsnotify@v1.10.1 2>/dev/null
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/fsnotify/fsnotify"
)

const files = 200

// drain takes events until looks in a row find none.
func drain(w *fsnotify.Watcher, looks int) (taken int) {
	for left := looks; left > 0; {
		select {
		case <-w.Events:
			taken, left = taken+1, looks
		default:
			if left--; left > 0 {
				runtime.Gosched()
			}
		}
	}
	return taken
}

func burst(looks int) int {
	dir, err := os.MkdirTemp(".", "watched")
	if err != nil {
		panic(err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if err := w.Add(dir); err != nil {
		panic(err)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("x"), 0o600); err != nil {
			panic(err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	return drain(w, looks)
}

func main() {
	for _, looks := range []int{1, 32} {
		taken := burst(looks)
		fmt.Printf("with %d look(s) it takes %d of at least %d events\n", looks, taken, 2*files)
		if looks == 1 && taken >= files {
			os.Exit(1)
		}
	}
}
EOF
go version
go build -o drain .
./drain || { echo "expected: with one look few are taken"; exit 1; }
