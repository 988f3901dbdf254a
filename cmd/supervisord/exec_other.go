//go:build !linux

package main

import "syscall"

// execute has this process execute a program. It returns only if that fails.
func execute(binary string, argv, env []string) error { return syscall.Exec(binary, argv, env) }
