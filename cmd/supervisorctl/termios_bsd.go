//go:build !linux

package main

import "golang.org/x/sys/unix"

// How the mode of a terminal is asked for and set.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)
