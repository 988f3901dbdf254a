package xmlrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how many elements of a document may stand inside one another. A
// call of Supervisor's needs 14 at most (system.multicall).
const MaxDepth = 100

// ErrNoMethod is returned by DecodeCall for a document that is XML and names no
// method.
var ErrNoMethod = errors.New("no method name")

// errDepth is the reason for refusing a document that is nested too deep.
var errDepth = fmt.Errorf("elements are nested more than %d deep", MaxDepth)

// CallOptions say how a call is decoded.
type CallOptions struct {
	// Take is called before memory is taken for values, with how many bytes more, or
	// somewhat less. Its error ends the decoding. The document itself is not
	// counted. Nil lets everything pass.
	Take func(n int) error
	// OddBoolean is told of each <boolean> that is neither 0 nor 1, and counts as
	// false. Nil is nobody.
	OddBoolean func(text string)
}

// Decode reads a <methodCall>. Parameters come as string, int (int64 where
// the number does not fit), bool, float64, []byte (base64), nil, []any and
// map[string]any; a date is its text, and so is a value in a tag that XML-RPC does
// not have. Only "1" is true.
// The error is ErrNoMethod, or says why the document cannot be understood.
//
// Source: contract/rpc.md section 2, incoming types.
func (o CallOptions) Decode(doc string) (method string, params []any, err error) {
	return o.decode(newTokenizer(doc))
}

func (o CallOptions) decode(t tokenizer) (method string, params []any, err error) {
	d := &decoder{tokens: t, options: o}
	if err := d.root(); err != nil {
		return "", nil, err
	}
	err = d.children(func(name string) error {
		switch name {
		case "methodName":
			text, err := d.text()
			method = text
			return err
		case "params":
			params, err = d.params()
			return err
		}
		return d.skip()
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return "", nil, err
	}
	if method == "" {
		return "", nil, ErrNoMethod
	}
	return method, params, nil
}

// DecodeResponse reads a <methodResponse>. The value is of the types that
// DecodeCall gives. A fault comes back as an error of type *Fault. Control
// characters that XML does not allow, which Supervisor sends when they are in a
// log, are read as U+FFFD, and so are bytes that are no UTF-8.
func DecodeResponse(r io.Reader) (any, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	d := &decoder{tokens: newXMLTokenizer(bytes.NewReader(legal(data)))}
	if err := d.root(); err != nil {
		return nil, err
	}
	var value any
	var fault *Fault
	found := false
	err = d.children(func(name string) error {
		switch name {
		case "params":
			params, err := d.params()
			if err == nil && len(params) != 1 {
				err = fmt.Errorf("a response has one value, not %d", len(params))
			}
			if err != nil {
				return err
			}
			value, found = params[0], true
			return nil
		case "fault":
			fault, err = d.fault()
			found = true
			return err
		}
		return d.skip()
	})
	if err == nil {
		err = d.end()
	}
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, errors.New("the document is not an XML-RPC response")
	case fault != nil:
		return nil, fault
	}
	return value, nil
}

// decoder walks a document element by element. Each of its methods that reads
// an element's content also reads its end tag.
type decoder struct {
	tokens  tokenizer
	options CallOptions
	depth   int
	owed    int // bytes that Take has not been told of
}

// What values take in memory, in bytes: an item of a list that grows, and a map with
// room for a few members.
const (
	itemBytes   = 48
	mapBytes    = 400
	memberBytes = 100
)

// take counts memory for a value. It asks only now and then.
func (d *decoder) take(n int) error {
	const unasked = 32 << 10
	if d.owed += n; d.owed < unasked || d.options.Take == nil {
		return nil
	}
	n, d.owed = d.owed, 0
	return d.options.Take(n)
}

// token is the next token.
func (d *decoder) token() (token, error) {
	t, err := d.tokens.next()
	if err != nil {
		return t, err
	}
	switch t.kind {
	case startTag:
		if d.depth++; d.depth > MaxDepth {
			return t, errDepth
		}
	case endTag:
		d.depth--
	case charData:
	}
	return t, nil
}

// root reads up to and including the start tag of the document's element.
func (d *decoder) root() error {
	for {
		t, err := d.token()
		if err != nil {
			return unexpected(err)
		}
		switch t.kind {
		case startTag:
			return nil
		case charData:
			if err := blank(t.text); err != nil {
				return err
			}
		case endTag: // there is none before a start tag
		}
	}
}

// end reads to the end of the input, where nothing may follow but blanks.
func (d *decoder) end() error {
	for {
		t, err := d.token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if t.kind != charData {
			return errors.New("something follows the document's element")
		}
		if err := blank(t.text); err != nil {
			return err
		}
	}
}

// children calls each for every element inside the current one; each must read
// that element's content and end. Text between elements must be blank.
func (d *decoder) children(each func(name string) error) error {
	for {
		t, err := d.token()
		if err != nil {
			return unexpected(err)
		}
		switch t.kind {
		case startTag:
			if err := each(t.text); err != nil {
				return err
			}
		case endTag:
			return nil
		case charData:
			if err := blank(t.text); err != nil {
				return err
			}
		}
	}
}

// text reads the text of an element; elements inside it are left out.
func (d *decoder) text() (string, error) {
	var text pieces
	for {
		t, err := d.token()
		if err != nil {
			return "", unexpected(err)
		}
		switch t.kind {
		case startTag:
			if err := d.skip(); err != nil {
				return "", err
			}
		case endTag:
			return text.String(), nil
		case charData:
			text.add(t.text)
		}
	}
}

func (d *decoder) skip() error {
	_, err := d.text()
	return err
}

func (d *decoder) params() (params []any, err error) {
	err = d.children(func(name string) error {
		if name != "param" {
			return d.skip()
		}
		v, err := d.oneValue()
		params = append(params, v)
		return err
	})
	return params, err
}

func (d *decoder) fault() (*Fault, error) {
	v, err := d.oneValue()
	if err != nil {
		return nil, err
	}
	members, _ := v.(map[string]any)
	code, isCode := members["faultCode"].(int)
	text, isText := members["faultString"].(string)
	if !isCode || !isText {
		return nil, errors.New("a fault must have a faultCode and a faultString")
	}
	return &Fault{Code: Code(code), Text: text}, nil
}

// oneValue reads an element that holds one value.
func (d *decoder) oneValue() (v any, err error) {
	n := 0
	err = d.children(func(name string) error {
		if !isValue(name) {
			return d.skip()
		}
		n++
		v, err = d.valueIn(name)
		return err
	})
	if err == nil && n != 1 {
		err = fmt.Errorf("one <value> is expected, not %d", n)
	}
	return v, err
}

// blank is an error for text that is more than spaces between elements.
func blank(text string) error {
	if strings.TrimSpace(text) != "" {
		return fmt.Errorf("the text %.40q stands between elements", text)
	}
	return nil
}

// pieces puts a text together. One that comes in one piece is not copied.
type pieces struct {
	first string
	more  strings.Builder
}

func (p *pieces) add(text string) {
	switch {
	case p.more.Len() > 0:
		p.more.WriteString(text)
	case p.first == "":
		p.first = text
	default:
		p.more.WriteString(p.first)
		p.more.WriteString(text)
	}
}

func (p *pieces) String() string {
	if p.more.Len() > 0 {
		return p.more.String()
	}
	return p.first
}

// unexpected names an input that ends inside the document.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// legal is data with U+FFFD in place of what XML does not allow; data itself
// where there is nothing of the kind.
func legal(data []byte) []byte {
	var out []byte
	start := 0
	for i := 0; i < len(data); {
		if c := data[i]; c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r < ' ' || r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
			out = append(append(out, data[start:i]...), "\uFFFD"...)
			start = i + size
		}
		i += size
	}
	if out == nil {
		return data
	}
	return append(out, data[start:]...)
}
