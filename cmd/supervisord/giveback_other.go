//go:build !linux

package main

// letProgramGo is for Linux.
func letProgramGo() {}
