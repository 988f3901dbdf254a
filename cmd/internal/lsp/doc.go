// Package lsp is a language server for configuration files: an editor sends it on
// standard input what is typed, and gets diagnostics, the meaning of keys, completions,
// and where the programs of a group are defined.
//
// wire.go reads and writes messages, server.go answers them one after the other, text.go
// is pure and finds what stands at a position in a text. The maker of the Server
// supplies the function that checks a file.
//
// It is written by hand, since it is nine messages: the Go libraries either bring web
// sockets and a logger of their own, or describe the whole protocol, of which this is
// a hundredth, and have not kept up with it.
//
// Source: Language Server Protocol 3.17.
package lsp
