package xmlrpc

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	startTag tokenKind = iota
	endTag
	charData
)

// token is one token of a document; what else XML has is left out.
type token struct {
	kind tokenKind
	text string // the element's local name, or the character data
}

// tokenizer reads a document token by token. It checks that tags match. The error
// is io.EOF after the document's last token.
type tokenizer interface{ next() (token, error) }

// newTokenizer is the cheaper of the two that can read doc.
func newTokenizer(doc string) tokenizer {
	body := doc
	for _, declaration := range declarations {
		if rest, found := strings.CutPrefix(doc, declaration); found {
			body = rest
			break
		}
	}
	if isPlain(body) {
		return &plainTokenizer{rest: body}
	}
	return newXMLTokenizer(strings.NewReader(doc))
}

// xmlTokenizer reads all of XML.
type xmlTokenizer struct{ *xml.Decoder }

func newXMLTokenizer(r io.Reader) xmlTokenizer {
	d := xml.NewDecoder(r)
	// Supervisor reads every document as UTF-8, whatever it says of itself.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return xmlTokenizer{d}
}

func (x xmlTokenizer) next() (token, error) {
	for {
		t, err := x.Token()
		if err != nil {
			return token{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return token{startTag, t.Name.Local}, nil
		case xml.EndElement:
			return token{endTag, t.Name.Local}, nil
		case xml.CharData:
			return token{charData, string(t)}, nil
		}
	}
}

// declarations are the XML declarations that clients write.
var declarations = []string{
	"<?xml version='1.0'?>", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version="1.0" encoding="utf-8"?>`,
}

// plainTokenizer reads documents that isPlain accepts, in a fifth of the time.
type plainTokenizer struct {
	rest   string
	open   []string // names of the elements that have not ended
	closed bool     // the last start tag was an end tag, too
}

// isPlain reports whether doc has nothing but ASCII text without references, and
// tags without attributes, as nearly all calls are.
func isPlain(doc string) bool {
	inTag := false
	for i := range len(doc) {
		switch c := doc[i]; {
		case c == '<':
			if inTag {
				return false
			}
			inTag = true
		case inTag && c == '>':
			inTag = false
		case inTag:
			if c != '/' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		case c == '&' || c == ']' || c < ' ' && c != '\n' && c != '\t' || c > '~':
			return false
		}
	}
	return !inTag
}

var errTags = errors.New("a tag is malformed or does not match")

func (p *plainTokenizer) next() (token, error) {
	if p.closed {
		p.closed = false
		return p.end(p.open[len(p.open)-1])
	}
	if p.rest == "" {
		if len(p.open) > 0 {
			return token{}, io.ErrUnexpectedEOF
		}
		return token{}, io.EOF
	}
	if p.rest[0] != '<' {
		text, _, _ := strings.Cut(p.rest, "<")
		p.rest = p.rest[len(text):]
		return token{charData, text}, nil
	}
	tag, rest, _ := strings.Cut(p.rest[1:], ">")
	p.rest = rest
	if name, ends := strings.CutPrefix(tag, "/"); ends {
		return p.end(name)
	}
	tag, p.closed = strings.CutSuffix(tag, "/")
	if tag == "" || tag[0] < 'A' || strings.Contains(tag, "/") { // a name begins with a letter
		return token{}, errTags
	}
	p.open = append(p.open, tag)
	return token{startTag, tag}, nil
}

// end is the end of the innermost element, whose name must be this one.
func (p *plainTokenizer) end(name string) (token, error) {
	n := len(p.open) - 1
	if n < 0 || p.open[n] != name {
		return token{}, errTags
	}
	p.open = p.open[:n]
	return token{endTag, name}, nil
}
