//go:build !linux

package main

import "os"

// memoryFile makes a file whose name is removed at once.
func memoryFile(name string) (*os.File, error) {
	f, err := os.CreateTemp("", name)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
