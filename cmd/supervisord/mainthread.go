package main

import (
	"os"
	"runtime"
)

// init keeps the main thread for the main goroutine, which only waits, see onMainThread. A
// signal for a process is the main thread's whenever that one does not block it, whatever the
// others do (Linux, complete_signal). One that waits for a disk that hangs would keep it.
func init() { runtime.LockOSThread() }

func main() {
	status := make(chan int)
	go func() { status <- run(os.Args) }()
	for {
		select {
		case f := <-mainThread:
			f()
		case code := <-status:
			os.Exit(code)
		}
	}
}

// mainThread has what the main goroutine is to call.
var mainThread = make(chan func())

// onMainThread calls f on the main thread. A program is executed there: if another thread does
// it, the process is a zombie to all who look at /proc until that thread has become the main
// one, and crun, for one, refuses to send a signal to its container.
func onMainThread(f func()) {
	done := make(chan struct{})
	mainThread <- func() {
		defer close(done)
		f()
	}
	<-done
}
