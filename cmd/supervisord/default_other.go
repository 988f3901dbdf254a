//go:build unix && !linux

package main

import "syscall"

// defaultSignals leaves signals that are caught no more to Go.
func defaultSignals(...syscall.Signal) (restore func()) { return func() {} }
