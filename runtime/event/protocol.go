package event

import (
	"bytes"
	"strconv"
	"strings"

	"supervisord/runtime/state"
)

// Bounds on what is kept of a listener's output, whatever it writes.
const (
	// maxResultLine is the longest line that may announce a result, in bytes.
	// "RESULT " and a number fit a hundred times over.
	maxResultLine = 1024
	// maxPrinted is the longest result that a printing handler takes: many times
	// the largest chunk of output that can be in one event.
	maxPrinted = 16 << 20
)

// Handler is what becomes of a listener's result.
type Handler uint8

// The handlers.
const (
	// HandleDefault takes exactly "OK" for processed, all else for a rejection.
	HandleDefault Handler = iota
	// HandlePrint prints the result to the daemon's standard output, each line
	// with the process and the channel in front, as the package supervisor_stdout
	// does for a listener that answers a PROCESS_LOG event with its payload.
	HandlePrint
)

// LookupHandler finds the handler that a result_handler= names. Functions of
// other Python packages are not among them.
func LookupHandler(name string) (h Handler, ok bool) {
	switch name {
	case "", "supervisor.dispatchers:default_handler":
		return HandleDefault, true
	case "supervisor_stdout:event_handler":
		return HandlePrint, true
	}
	return HandleDefault, false
}

// tokenKind is what a listener has said.
type tokenKind uint8

const (
	tokenNone      tokenKind = iota // nothing whole yet
	tokenReady                      // READY
	tokenResult                     // a whole result
	tokenBadResult                  // a line that announces no result
	tokenViolation                  // anything else, where nothing may be said
)

type token struct {
	kind tokenKind
	// line is tokenBadResult's line; body is tokenResult's result, cut after what
	// the handler needs to see, of length bytes in all. Both are valid until the
	// next token is read.
	line, body []byte
	length     int64
}

// protocol reads one listener's standard output. How its bytes are cut into
// pieces makes no difference.
//
// Source: contract/events.md section 5.
type protocol struct {
	state   state.Listener
	handler Handler

	held   []byte // an unfinished word or line
	inBody bool   // the line is read, its result is not
	length int64  // of the result
	got    int64
	body   []byte
}

// reset is the state of a process just spawned.
func (p *protocol) reset() { // lets go of the body, which may have been large
	*p = protocol{state: state.Acknowledged, held: p.held[:0]}
}

// next reads data up to the end of one token and returns the token and what
// follows it. It changes the state as the token demands; who sends an event sets
// Busy. tokenNone comes only when all data is taken.
func (p *protocol) next(data []byte) (token, []byte) {
	switch p.state {
	case state.Acknowledged:
		return p.nextReady(data)
	case state.Busy:
		if !p.inBody {
			t, rest := p.nextLine(data)
			if t.kind != tokenNone || !p.inBody {
				return t, rest
			}
			data = rest
		}
		return p.nextBody(data)
	case state.Ready:
		if len(data) > 0 {
			p.fail()
			return token{kind: tokenViolation}, nil
		}
	case state.ListenerUnknown: // whatever it says is lost
	}
	return token{}, nil
}

const readyWord = "READY\n"

func (p *protocol) nextReady(data []byte) (token, []byte) {
	n := min(len(readyWord)-len(p.held), len(data))
	p.held = append(p.held, data[:n]...)
	if len(p.held) < len(readyWord) {
		return token{}, nil
	}
	if string(p.held) != readyWord {
		p.fail()
		return token{kind: tokenViolation}, nil
	}
	p.held = p.held[:0]
	p.state = state.Ready
	return token{kind: tokenReady}, data[n:]
}

// nextLine reads the line that announces a result. The word before the number is
// skipped unread, as Supervisor does (differences.md row 72).
func (p *protocol) nextLine(data []byte) (token, []byte) {
	n := min(maxResultLine+1-len(p.held), len(data))
	end := bytes.IndexByte(data[:n], '\n')
	if end < 0 {
		p.held = append(p.held, data[:n]...)
		if len(p.held) <= maxResultLine {
			return token{}, nil
		}
		return p.badResult(p.held[:maxResultLine]), nil
	}
	line := data[:end]
	if len(p.held) > 0 {
		p.held = append(p.held, line...)
		line = p.held
	}
	const word = len("RESULT ")
	length, ok := parseInt(line[min(word, len(line)):])
	if !ok || p.handler == HandlePrint && length > maxPrinted {
		return p.badResult(line), nil
	}
	p.held = p.held[:0]
	p.inBody, p.length, p.got, p.body = true, length, 0, p.body[:0]
	return token{}, data[end+1:]
}

func (p *protocol) badResult(line []byte) token {
	p.fail()
	return token{kind: tokenBadResult, line: line}
}

// nextBody reads a result. One without bytes is whole at once (row 73). Beyond
// what the handler looks at, bytes are counted and not kept, so that no result is
// too large.
func (p *protocol) nextBody(data []byte) (token, []byte) {
	n := min(p.length-p.got, int64(len(data)))
	keep := int64(len(okBody))
	if p.handler == HandlePrint {
		keep = p.length
	}
	if room := keep - int64(len(p.body)); room > 0 {
		p.body = append(p.body, data[:min(n, room)]...)
	}
	p.got += n
	if p.got < p.length {
		return token{}, nil
	}
	p.inBody = false
	p.state = state.Acknowledged
	return token{kind: tokenResult, body: p.body, length: p.length}, data[n:]
}

// fail ends the conversation until the process is spawned again. What is held is
// the last token's to read, and gone afterwards.
func (p *protocol) fail() { p.state, p.inBody = state.ListenerUnknown, false }

// undoSend goes back to READY after an event that could not be written.
func (p *protocol) undoSend() { p.state, p.inBody, p.held = state.Ready, false, p.held[:0] }

const okBody = "OK"

// parseInt reads a length as Python's int() does: blanks around it, a sign, and
// single underscores between digits are allowed. A negative length is none.
func parseInt(b []byte) (int64, bool) {
	s := strings.TrimPrefix(strings.Trim(string(b), " \t\r\v\f"), "+")
	if s == "" || s[0] < '0' || s[0] > '9' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	return n, err == nil
}

// prefixLines is what HandlePrint prints for a result: its first line has
// processname: and channel:, and each of the others is printed with the two in
// front. As in the package, what comes after the last newline is a line too, and
// when nothing does, an empty one. ok is false for a result of any other shape.
func prefixLines(body []byte) (text []byte, ok bool) {
	head, data, found := strings.Cut(string(body), "\n")
	if !found {
		return nil, false
	}
	var process, channel *string
	for _, field := range strings.Fields(head) {
		key, value, found := strings.Cut(field, ":")
		if !found || strings.Contains(value, ":") {
			return nil, false
		}
		switch key {
		case "processname":
			process = &value
		case "channel":
			channel = &value
		}
	}
	if process == nil || channel == nil {
		return nil, false
	}
	var b strings.Builder
	for line := range strings.SplitSeq(data, "\n") {
		b.WriteString(*process + " " + *channel + " | " + line + "\n")
	}
	return []byte(b.String()), true
}
