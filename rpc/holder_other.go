//go:build !linux

package rpc

import "supervisord/spec"

// HeldBy reports whether the socket that keeps a server from its address may be one of a
// process; who has it cannot be asked here.
func HeldBy(int, spec.Server) bool { return true }

// takenByOthers cannot be known here.
func (s *Sockets) takenByOthers(spec.Server) bool { return false }
