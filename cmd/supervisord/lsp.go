package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"supervisord/cmd/internal/host"
	"supervisord/cmd/internal/lsp"
	"supervisord/runtime/lazy"
	"supervisord/spec"
)

// serveEditor is supervisord lsp: a language server on standard input and output.
func serveEditor(argv0 string, args []string) int {
	if len(args) > 0 && args[0] != "--stdio" { // which some editors add
		return usageError(argv0, fmt.Errorf("lsp takes no arguments: it talks to an editor over standard input and output"))
	}
	h := host.New()
	s := &lsp.Server{Read: h.ReadFile}
	s.Check = func(path string) (mistakes, warnings []*spec.Error, files []string) {
		return checkText(editorHost{h, s.Open}, path)
	}
	if err := s.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		return 1
	}
	return 0
}

// editorHost is a machine whose files are as an editor has them.
type editorHost struct {
	spec.Host
	open func(path string) (text string, ok bool)
}

// ReadFile implements spec.Host.
func (h editorHost) ReadFile(path string) ([]byte, error) {
	if text, ok := h.open(path); ok {
		return []byte(text), nil
	}
	return h.Host.ReadFile(path)
}

// checkText checks a file. One without [supervisord] is checked together with its
// neighbours, as if a main file included them, since a group may name their programs.
func checkText(h editorHost, path string) (mistakes, warnings []*spec.Error, files []string) {
	main := path
	if text, _ := h.ReadFile(path); !daemonSection().Match(text) {
		main = filepath.Join(filepath.Dir(path), ".supervisord.lsp")
		open := h.open
		h.open = func(name string) (string, bool) {
			if name == main {
				return "[supervisord]\n[include]\nfiles=" + literal(path) + " *.conf *.ini\n", true
			}
			return open(name)
		}
	}
	v := runCheck(h, main, spec.Options{}, flags{})
	v.dropWrongGuesses(h)
	v.gatherTemplates(h)
	v.sort()
	if v.config != nil {
		for _, f := range v.config.Files {
			files = append(files, f.Path)
		}
	}
	return v.errors, v.warnings, files
}

var daemonSection = lazy.Regexp(`(?m)^\[supervisord\]`)

// literal is a path as a pattern that matches only it.
func literal(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "%", "%%").Replace(path)
}

var _ spec.Host = editorHost{}
