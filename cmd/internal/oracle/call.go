package oracle

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is an XML-RPC fault.
type Fault struct {
	Code int
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("fault %d: %s", f.Code, f.Text) }

// Call calls an XML-RPC method of the daemon. Parameters are int, bool, string,
// float64, []any and map[string]any, and so are results; base64 gives []byte and
// a date its text. A fault is a *Fault.
func (d *Daemon) Call(method string, params ...any) (any, error) {
	d.t.Helper()
	return d.call(method, params...)
}

func (d *Daemon) call(method string, params ...any) (any, error) {
	return d.Client().Call(method, params...)
}

// Client calls methods over its own connections.
type Client struct{ http *http.Client }

// Client is a client of the daemon that connects anew for each call.
func (d *Daemon) Client() Client { return Client{d.HTTPClient()} }

// KeptClient is a client of the daemon that keeps its connection between calls, as
// far as the daemon does.
func (d *Daemon) KeptClient() Client {
	c := d.HTTPClient()
	transport := c.Transport.(*http.Transport)
	transport.DisableKeepAlives = false
	d.t.Cleanup(transport.CloseIdleConnections)
	return Client{c}
}

// ClientWithin is a client of the daemon that gives up a call after a while: then
// its error is a net.Error that says Timeout.
func (d *Daemon) ClientWithin(timeout time.Duration) Client {
	c := d.HTTPClient()
	c.Timeout = timeout
	return Client{c}
}

// Call is Daemon.Call.
func (c Client) Call(method string, params ...any) (any, error) {
	status, reply, err := c.post(encodeCall(method, params))
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP status %d", method, status)
	}
	return decodeReply(strings.NewReader(reply))
}

// Poll calls a method and reads the answer whole, without taking it apart: that would take a
// client longer than the daemon needs to give it. An answer that is cut or a fault is an error.
func (c Client) Poll(method string) error {
	status, reply, err := c.post(encodeCall(method, nil))
	switch {
	case err != nil:
		return err
	case status != http.StatusOK, strings.Contains(reply, "<fault>"), !strings.HasSuffix(strings.TrimSpace(reply), "</methodResponse>"):
		return fmt.Errorf("%s: HTTP status %d: %.200s", method, status, reply)
	}
	return nil
}

func (c Client) post(body string) (status int, reply string, err error) {
	answer, err := c.http.Post("http://daemon/RPC2", "text/xml", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(raw), err
}

func encodeCall(method string, params []any) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?><methodCall><methodName>" + escape(method) + "</methodName><params>")
	for _, p := range params {
		b.WriteString("<param>")
		encodeValue(&b, p)
		b.WriteString("</param>")
	}
	b.WriteString("</params></methodCall>")
	return b.String()
}

func encodeValue(b *strings.Builder, v any) {
	b.WriteString("<value>")
	switch v := v.(type) {
	case int:
		fmt.Fprintf(b, "<int>%d</int>", v)
	case float64:
		fmt.Fprintf(b, "<double>%g</double>", v)
	case bool:
		digit := "0"
		if v {
			digit = "1"
		}
		b.WriteString("<boolean>" + digit + "</boolean>")
	case string:
		b.WriteString("<string>" + escape(v) + "</string>")
	case []any:
		b.WriteString("<array><data>")
		for _, item := range v {
			encodeValue(b, item)
		}
		b.WriteString("</data></array>")
	case map[string]any:
		b.WriteString("<struct>")
		for name, item := range v {
			b.WriteString("<member><name>" + escape(name) + "</name>")
			encodeValue(b, item)
			b.WriteString("</member>")
		}
		b.WriteString("</struct>")
	default:
		panic(fmt.Sprintf("oracle: no XML-RPC form for %T", v))
	}
	b.WriteString("</value>")
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a bytes.Buffer never fails
	return b.String()
}

// node is one element of a reply.
type node struct {
	XMLName  xml.Name
	Children []node `xml:",any"`
	Text     string `xml:",chardata"`
}

func decodeReply(r io.Reader) (any, error) {
	var root node
	if err := xml.NewDecoder(r).Decode(&root); err != nil {
		return nil, fmt.Errorf("the reply is not XML: %v", err)
	}
	if v := root.find("fault", "value"); v != nil {
		value, err := v.value()
		if err != nil {
			return nil, err
		}
		members, _ := value.(map[string]any)
		code, isInt := members["faultCode"].(int)
		text, isString := members["faultString"].(string)
		if !isInt || !isString {
			return nil, fmt.Errorf("not a fault: %v", value)
		}
		return nil, &Fault{code, text}
	}
	if v := root.find("params", "param", "value"); v != nil {
		return v.value()
	}
	return nil, fmt.Errorf("the reply has neither a value nor a fault")
}

// find follows the first children of those names.
func (n *node) find(path ...string) *node {
	for _, name := range path {
		var next *node
		for i := range n.Children {
			if n.Children[i].XMLName.Local == name {
				next = &n.Children[i]
				break
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

func (n *node) value() (any, error) {
	if len(n.Children) == 0 {
		return n.Text, nil
	}
	c := &n.Children[0]
	text := strings.TrimSpace(c.Text)
	switch c.XMLName.Local {
	case "string":
		return c.Text, nil
	case "int", "i4":
		return strconv.Atoi(text)
	case "boolean":
		return text == "1", nil
	case "double":
		return strconv.ParseFloat(text, 64)
	case "base64":
		return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	case "dateTime.iso8601":
		return text, nil
	case "nil":
		return nil, nil
	case "array":
		items := []any{}
		data := c.find("data")
		if data == nil {
			return nil, fmt.Errorf("an array without data")
		}
		for i := range data.Children {
			item, err := data.Children[i].value()
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	case "struct":
		members := make(map[string]any)
		for i := range c.Children {
			name, value := c.Children[i].find("name"), c.Children[i].find("value")
			if name == nil || value == nil {
				return nil, fmt.Errorf("a member without name or value")
			}
			v, err := value.value()
			if err != nil {
				return nil, err
			}
			members[name.Text] = v
		}
		return members, nil
	}
	return nil, fmt.Errorf("unknown type %s", c.XMLName.Local)
}
