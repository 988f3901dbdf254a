// Package lsp is a language server for configuration files: an editor tells it on
// standard input what is typed, and is told of mistakes, of the meaning of keys, of what
// may be completed, and where the programs of a group are.
//
// wire.go reads and writes messages, server.go answers them one after the other, text.go
// is pure and knows what stands at a place of a text. What is wrong with a file is found
// by the one who makes the Server.
//
// It is written by hand, since it is nine messages: the libraries that there are in Go
// either bring web sockets and a logger of their own along, or describe the whole
// protocol, of which this is a hundredth, and have not been kept up with it.
//
// Source: Language Server Protocol 3.17.
package lsp
