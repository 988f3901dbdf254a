// Package client calls a supervisord: XML-RPC over a unix socket, TCP or TLS,
// and the log streams.
//
// It knows the wire format and the vocabulary and nothing of the daemon's
// internals. It speaks to Supervisor's own supervisord as well as to this one; the
// methods of both are in methods.go, those that only this one has in files of their own.
//
// A Client keeps its connections between calls and may be used by several
// goroutines at once. Cancelling a context ends the wait for an answer,
// never what the daemon was asked to do.
package client
