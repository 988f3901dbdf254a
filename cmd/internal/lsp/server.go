package lsp

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"supervisord/spec"
)

// Server answers one editor.
type Server struct {
	// Check finds what is wrong with a file, whose text and that of others may differ
	// from what is on the disk: Open says. Mistakes of other files may be among what it
	// returns, and files are all that were read.
	Check func(path string) (mistakes, warnings []*spec.Error, files []string)
	// Read returns a file that is not open.
	Read func(path string) ([]byte, error)

	open map[string]string // texts by path
	out  io.Writer
	done bool // a shutdown was asked for
}

// Open is the text of a file as the editor has it; ok is false for one that is not open.
func (s *Server) Open(path string) (text string, ok bool) {
	text, ok = s.open[path]
	return text, ok
}

// Serve answers until the input ends or the editor says so. The error is why it could not
// go on; nil if the editor left in order.
func (s *Server) Serve(in io.Reader, out io.Writer) error {
	s.open, s.out = map[string]string{}, out
	r := bufio.NewReader(in)
	for {
		m, err := receive(r)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Method == "exit":
			if !s.done {
				return errors.New("the editor left without a shutdown")
			}
			return nil
		}
		if err := s.answer(m); err != nil {
			return err
		}
	}
}

// What the protocol calls by these names.
type (
	position struct {
		Line      int `json:"line"`
		Character int `json:"character"`
	}
	span struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
	location struct {
		URI   string `json:"uri"`
		Range span   `json:"range"`
	}
	diagnostic struct {
		Range    span   `json:"range"`
		Severity int    `json:"severity"`
		Source   string `json:"source"`
		Message  string `json:"message"`
	}
	params struct {
		TextDocument struct {
			URI  string `json:"uri"`
			Text string `json:"text"`
		} `json:"textDocument"`
		ContentChanges []struct {
			Text string `json:"text"`
		} `json:"contentChanges"`
		Position position `json:"position"`
	}
)

// answer deals with one message.
func (s *Server) answer(m *message) error {
	var p params
	if len(m.Params) > 0 && json.Unmarshal(m.Params, &p) != nil {
		return s.reply(m, nil, &replyError{invalidParams, "the parameters of " + m.Method + " are not understood"})
	}
	path := pathOf(p.TextDocument.URI)
	here := func() place { return placeAt(s.open[path], p.Position.Line, p.Position.Character) }
	switch m.Method {
	case "initialize":
		return s.reply(m, map[string]any{
			"serverInfo": map[string]any{"name": "supervisord"},
			"capabilities": map[string]any{
				"textDocumentSync": map[string]any{"openClose": true, "change": 1, "save": true}, // whole texts
				"hoverProvider":    true, "definitionProvider": true,
				"completionProvider": map[string]any{"triggerCharacters": []string{"[", "=", ","}},
			},
		}, nil)
	case "textDocument/didOpen":
		s.open[path] = valid(p.TextDocument.Text)
		return s.checkOpen()
	case "textDocument/didChange":
		if n := len(p.ContentChanges); n > 0 {
			s.open[path] = valid(p.ContentChanges[n-1].Text)
		}
		return s.checkOpen()
	case "textDocument/didSave":
		return s.checkOpen()
	case "textDocument/didClose":
		delete(s.open, path)
		return s.publish(p.TextDocument.URI, []diagnostic{})
	case "textDocument/hover":
		text := here().explain()
		if text == "" {
			return s.reply(m, json.RawMessage("null"), nil)
		}
		return s.reply(m, map[string]any{"contents": map[string]any{"kind": "markdown", "value": text}}, nil)
	case "textDocument/completion":
		return s.reply(m, here().complete(s.open[path]), nil)
	case "textDocument/definition":
		return s.reply(m, s.definition(path, here()), nil)
	case "shutdown":
		s.done = true
		return s.reply(m, json.RawMessage("null"), nil)
	}
	if m.ID == nil { // a notification that means nothing here
		return nil
	}
	return s.reply(m, nil, &replyError{methodNotFound, "there is no method " + m.Method})
}

func (s *Server) reply(m *message, result any, wrong *replyError) error {
	if m.ID == nil {
		return nil
	}
	return send(s.out, message{ID: m.ID, Result: result, Error: wrong})
}

// checkOpen tells what is wrong with each file that is open: a change of one may be a
// mistake of another.
func (s *Server) checkOpen() error {
	for path, text := range s.open {
		mistakes, warnings, _ := s.Check(path)
		lines := strings.Split(text, "\n")
		list := []diagnostic{}
		add := func(errs []*spec.Error, severity int) {
			for _, e := range errs {
				if e.File != path && e.File != "" {
					continue
				}
				at := min(max(e.Line-1, 0), len(lines)-1)
				list = append(list, diagnostic{
					Range:    span{position{at, 0}, position{at, width(strings.TrimSuffix(lines[at], "\r"))}},
					Severity: severity, Source: "supervisord", Message: words(e),
				})
			}
		}
		add(mistakes, 1)
		add(warnings, 2)
		if err := s.publish(uriOf(path), list); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) publish(uri string, list []diagnostic) error {
	text, err := json.Marshal(map[string]any{"uri": uri, "diagnostics": list})
	if err != nil {
		return err
	}
	return send(s.out, message{Method: "textDocument/publishDiagnostics", Params: text})
}

// words are what is wrong, without the place, which the editor shows.
func words(e *spec.Error) string {
	text := e.Plain
	if text == "" {
		text = e.Text
	}
	if e.Key != "" {
		text = e.Key + ": " + text
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// definition is where the program under the cursor is, of those that a group names; null
// for anything else.
func (s *Server) definition(path string, p place) any {
	if p.kind != "group:x" || p.key != "programs" || p.word() == "" {
		return json.RawMessage("null")
	}
	_, _, files := s.Check(path)
	for _, file := range append([]string{path}, files...) {
		text, isOpen := s.open[file]
		if !isOpen {
			content, err := s.Read(file)
			if err != nil {
				continue
			}
			text = string(content)
		}
		if line, ok := programLine(text, p.word()); ok {
			at := position{line, 0}
			return location{uriOf(file), span{at, at}}
		}
	}
	return json.RawMessage("null")
}

func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return uri
	}
	return filepath.Clean(u.Path)
}

func uriOf(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
