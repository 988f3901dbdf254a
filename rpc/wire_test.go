package rpc

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/rpc/xmlrpc"
)

var record = flag.Bool("record", false, "write testdata/wire/replies.txt from the installed Supervisor")

const repliesFile = "testdata/wire/replies.txt"

// wrongType is our reply to a parameter of an unforeseen type, where the original
// says HTTP 500.
var wrongType = string(xmlrpc.EncodeFault(badParameters))

// calls are run one after another on the processes of testdata/wire/world.conf, ours
// and the real one. A row with want differs on purpose, and why says why. After one
// with ends, that process has ended before the next.
var calls = []struct {
	method    string
	params    []any
	want, why string
	ends      string
}{
	{method: "supervisor.getAPIVersion"},
	{method: "supervisor.getVersion"},
	{method: "supervisor.getSupervisorVersion"},
	{method: "supervisor.getIdentification"},
	{method: "supervisor.getState"},
	{method: "supervisor.getPID"},
	{method: "supervisor.getPID", params: []any{1}},
	{method: "supervisor.getAllProcessInfo"},
	{method: "supervisor.getProcessInfo", params: []any{"cat"}},
	{method: "supervisor.getProcessInfo", params: []any{"two:two_01"}},
	{method: "supervisor.getProcessInfo", params: []any{"two_01"}},
	{method: "supervisor.getProcessInfo", params: []any{"two"}},
	{method: "supervisor.getProcessInfo", params: []any{"two:*"}},
	{method: "supervisor.getProcessInfo", params: []any{"two:"}},
	{method: "supervisor.getProcessInfo", params: []any{"nope"}},
	{method: "supervisor.getProcessInfo", params: []any{""}},
	{method: "supervisor.getProcessInfo", params: []any{"<&>"}},
	{method: "supervisor.getProcessInfo"},
	{method: "supervisor.getProcessInfo", params: []any{3}, want: wrongType, why: "row 56"},
	{method: "supervisor.getProcessInfo", params: []any{nil}, want: wrongType, why: "row 56"},
	{method: "supervisor.getAllConfigInfo"},

	{method: "supervisor.readLog", params: []any{0, -1}},
	{method: "supervisor.readLog", params: []any{-1, 1}},
	{method: "supervisor.readLog", params: []any{0}},
	{method: "supervisor.readMainLog", params: []any{"x", 1}, want: wrongType, why: "row 56"},
	{method: "supervisor.readMainLog", params: []any{nil, 1}},
	{method: "supervisor.readProcessStdoutLog", params: []any{"cat", 0, 0}},
	{method: "supervisor.readProcessLog", params: []any{"cat", 1, 3}},
	{method: "supervisor.readProcessLog", params: []any{"cat", "1", 3.9}},
	{method: "supervisor.readProcessLog", params: []any{"cat", true, 2}},
	{method: "supervisor.readProcessLog", params: []any{"cat", -3, 0}},
	{method: "supervisor.readProcessLog", params: []any{"cat", 100, 0}},
	{method: "supervisor.readProcessLog", params: []any{"cat", -3, 1}},
	{method: "supervisor.readProcessLog", params: []any{"cat", 0, -1}},
	{method: "supervisor.readProcessLog", params: []any{"two:*", 0, 1}},
	{method: "supervisor.readProcessLog", params: []any{"nope", 0, 1}},
	{method: "supervisor.readProcessLog", params: []any{"nolog", 0, 1}},
	{method: "supervisor.readProcessLog", params: []any{"quick", 0, 1}},
	{method: "supervisor.readProcessStderrLog", params: []any{"two:two_00", 0, 0}},
	{method: "supervisor.readProcessStderrLog", params: []any{"nolog", 0, 0}},
	{method: "supervisor.tailProcessStdoutLog", params: []any{"cat", 0, 10}},
	{method: "supervisor.tailProcessLog", params: []any{"cat", 0, 5}},
	{method: "supervisor.tailProcessLog", params: []any{"cat", 2, 3}},
	{method: "supervisor.tailProcessLog", params: []any{"cat", 6, 10}},
	{method: "supervisor.tailProcessLog", params: []any{"cat", 0, -1}},
	{method: "supervisor.tailProcessLog", params: []any{"cat", -1, 10}},
	{method: "supervisor.tailProcessLog", params: []any{"nolog", 5, 10}},
	{method: "supervisor.tailProcessLog", params: []any{"quick", 5, 10}},
	{method: "supervisor.tailProcessLog", params: []any{"nope", 0, 10}},
	{method: "supervisor.tailProcessStderrLog", params: []any{"two:two_01", 0, 10}},
	{method: "supervisor.tailProcessStderrLog", params: []any{"two:*", 0, 10}},

	{method: "supervisor.startProcess", params: []any{"nope"}},
	{method: "supervisor.startProcess", params: []any{"nope:*"}},
	{method: "supervisor.startProcess", params: []any{"two"}},
	{method: "supervisor.startProcess", params: []any{""}},
	{method: "supervisor.startProcess", params: []any{":"}},
	{method: "supervisor.startProcess", params: []any{"*"}},
	{method: "supervisor.startProcess", params: []any{"cat"}},
	{method: "supervisor.startProcess", params: []any{"cat:cat", "truthy"}},
	{method: "supervisor.startProcess", params: []any{"cat:*"}},
	{method: "supervisor.startProcess", params: []any{"badcmd"}},
	{method: "supervisor.startProcess", params: []any{"badcmd", false}},
	{method: "supervisor.startProcess", params: []any{"quick"}},
	{method: "supervisor.getProcessInfo", params: []any{"quick"}},
	{method: "supervisor.startProcess", params: []any{"stopped"}},
	{method: "supervisor.startProcess", params: []any{"stopped", true, 1}},
	{method: "supervisor.startProcess"},
	{method: "supervisor.startProcess", params: []any{[]any{"cat"}}, want: wrongType, why: "row 56"},
	{method: "supervisor.stopProcess", params: []any{"stopped"}},
	{method: "supervisor.stopProcess", params: []any{"stopped"}},
	{method: "supervisor.getProcessInfo", params: []any{"stopped"}},
	{method: "supervisor.stopProcess", params: []any{"stopped:*"}},
	{method: "supervisor.stopProcess", params: []any{"nope:x"}},
	{method: "supervisor.startProcessGroup", params: []any{"stopped"}},
	{method: "supervisor.stopProcessGroup", params: []any{"stopped"}},
	{method: "supervisor.startProcessGroup", params: []any{"two"}},
	{method: "supervisor.startProcessGroup", params: []any{"badcmd"}},
	{method: "supervisor.startProcessGroup", params: []any{"nope"}},
	{method: "supervisor.startProcessGroup", params: []any{"two:*"}},
	{method: "supervisor.startProcessGroup", params: []any{""}},
	{method: "supervisor.startProcessGroup", params: []any{7}},
	{method: "supervisor.stopProcessGroup", params: []any{"nope"}},
	{method: "supervisor.startAllProcesses"},
	{method: "supervisor.stopProcess", params: []any{"stopped", false}, ends: "stopped"},

	{method: "supervisor.signalProcess", params: []any{"cat", "CONT"}},
	{method: "supervisor.signalProcess", params: []any{"cat", "sigcont"}},
	{method: "supervisor.signalProcess", params: []any{"cat", 18}},
	{method: "supervisor.signalProcess", params: []any{"cat", "0"}},
	{method: "supervisor.signalProcess", params: []any{"cat", "NOPE"}},
	{method: "supervisor.signalProcess", params: []any{"cat", 99}},
	{method: "supervisor.signalProcess", params: []any{"cat", ""}},
	{method: "supervisor.signalProcess", params: []any{"cat", 18.9}},
	{method: "supervisor.signalProcess", params: []any{"cat", 99.9}},
	{method: "supervisor.signalProcess", params: []any{"nope", "NOPE"}},
	{method: "supervisor.signalProcess", params: []any{"badcmd", "NOPE"}},
	{method: "supervisor.signalProcess", params: []any{"badcmd", "CONT"}},
	{method: "supervisor.signalProcess", params: []any{"two:*", "CONT"}},
	{method: "supervisor.signalProcess", params: []any{"two:*", "NOPE"}},
	{method: "supervisor.signalProcess", params: []any{"nope:*", "NOPE"}},
	{method: "supervisor.signalProcessGroup", params: []any{"two", "NOPE"}},
	{method: "supervisor.signalProcessGroup", params: []any{"two", "CONT"}},
	{method: "supervisor.signalProcessGroup", params: []any{"nope", "NOPE"}},
	{method: "supervisor.signalAllProcesses", params: []any{"NOPE"}},
	{method: "supervisor.signalAllProcesses", params: []any{"CONT"}},

	{method: "supervisor.sendProcessStdin", params: []any{"nolog", "text\n"}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", []byte("text\n")}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", 5}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", true}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", []any{1, "a"}}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", nil}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", 1.5}},
	{method: "supervisor.sendProcessStdin", params: []any{"nolog", xmlrpc.Struct{{Name: "a", Value: 1}}}},
	{method: "supervisor.sendProcessStdin", params: []any{"nope", "x"}},
	{method: "supervisor.sendProcessStdin", params: []any{"two:*", "x"}},
	{method: "supervisor.sendProcessStdin", params: []any{"badcmd", "x"}},
	{method: "supervisor.sendRemoteCommEvent", params: []any{"type", "data"}},
	{method: "supervisor.sendRemoteCommEvent", params: []any{1, []any{nil}}},
	{method: "supervisor.sendRemoteCommEvent", params: []any{"type"}},

	{method: "supervisor.clearProcessLogs", params: []any{"nope"}},
	{method: "supervisor.clearProcessLogs", params: []any{"two:*"}},
	{method: "supervisor.clearProcessLog", params: []any{"cat"}},
	{method: "supervisor.readProcessLog", params: []any{"cat", 0, 0}},
	{method: "supervisor.clearAllProcessLogs"},
	{method: "supervisor.clearLog"},

	{method: "supervisor.reloadConfig"},
	{method: "supervisor.addProcessGroup", params: []any{"cat"}},
	{method: "supervisor.addProcessGroup", params: []any{"nope"}},
	{method: "supervisor.addProcessGroup", params: []any{5}},
	{method: "supervisor.removeProcessGroup", params: []any{"cat"}},
	{method: "supervisor.removeProcessGroup", params: []any{"nope"}},
	{method: "supervisor.removeProcessGroup", params: []any{"quick"}},
	{method: "supervisor.addProcessGroup", params: []any{"quick"}},

	{method: "nope"},
	{method: "supervisor"},
	{method: "supervisor.nope"},
	{method: "supervisor.getState.x"},
	{method: "supervisor._update"},
	{method: "", want: "HTTP/1.1 400 Bad Request\n"},
	{method: "system.listMethods"},
	{method: "system.methodHelp", params: []any{"nope"}},
	{method: "system.methodHelp", params: []any{5}},
	{method: "system.methodSignature", params: []any{"supervisor.startProcess"}},
	{method: "system.methodSignature", params: []any{"nope"}},
	{method: "system.methodSignature"},
	{method: "system.multicall"},
	{method: "system.multicall", params: []any{[]any{}}},
	{method: "system.multicall", params: []any{5}},
	{method: "system.multicall", params: []any{"x"}, want: wrongType, why: "row 56"},
	{method: "system.multicall", params: []any{[]any{"x"}}, want: wrongType, why: "row 56"},
	{method: "system.multicall", params: []any{[]any{
		xmlrpc.Struct{},
		item("system.multicall", []any{}),
		item("supervisor.getAPIVersion", nil),
		item("supervisor.getAPIVersion", []any{}),
		item("supervisor.getAPIVersion", []any{1}),
		item("supervisor.getAPIVersion", "x"),
		item("supervisor.startProcess", []any{"nope"}),
		item("supervisor.signalProcess", []any{"cat", "CONT"}),
		item("nope", nil),
		item("", nil),
	}}},
	{method: "supervisor.stopAllProcesses", params: []any{false}},
}

// item is one call of a multicall.
func item(method string, params any) xmlrpc.Struct {
	s := xmlrpc.Struct{{Name: "methodName", Value: method}}
	if params != nil {
		s = append(s, xmlrpc.Member{Name: "params", Value: params})
	}
	return s
}

// requests are HTTP requests on the same processes, before the calls. {auth} is the
// right password; requests go to the unix socket unless tcp is set.
var requests = []struct {
	name, request string
	tcp           bool
	want, why     string
}{
	{name: "ok", request: "GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "ok, many slashes", request: "GET ///ok.html HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "ok, query", request: "GET /ok.html?x=y HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "ok, posted", request: "POST /ok.html HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"},
	{name: "ok, put", request: "PUT /ok.html HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "ok, 1.0", request: "GET /ok.html HTTP/1.0\r\n\r\n"},
	{name: "nothing there", request: "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "case matters", request: "GET /OK.html HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "above", request: "GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "above, quoted", request: "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "directory", request: "GET /images/ HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "delete", request: "DELETE /images/icon.png HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "options", request: "OPTIONS /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "rpc, get", request: "GET /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "rpc, no length", request: "POST /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "rpc, chunked", request: "POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "rpc, not XML", request: "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"},
	{name: "rpc, byte order mark", request: "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 78\r\n\r\n" +
		"\ufeff<methodCall><methodName>supervisor.getVersion</methodName></methodCall>\r\n\r\n"},
	{name: "rpc, no method", request: "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n<a/>"},
	{name: "rpc, longer path", request: "POST /RPC2foo?x HTTP/1.1\r\nHost: h\r\nContent-Length: 75\r\n\r\n" +
		"<methodCall><methodName>supervisor.getAPIVersion</methodName></methodCall>\n"},
	{name: "logtail", request: "GET /logtail HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, no name", request: "GET /logtail/ HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, bad name", request: "GET /logtail/nope HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, bad channel", request: "GET /logtail/cat/x HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, group", request: "GET /logtail/two:* HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, no log", request: "GET /logtail/nolog HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, too long", request: "GET /logtail/cat/stdout/x HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "logtail, posted", request: "POST /logtail/cat HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"},
	{name: "mainlogtail, head", request: "HEAD /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n",
		want: "HTTP/1.1 400 Bad Request\nServer: Medusa/1.12\nContent-Type: text/html\n\n\n", why: "a reply to HEAD has no body"},
	{name: "status, head", request: "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
		want: "HTTP/1.1 404 Not Found\nServer: Medusa/1.12\nContent-Type: text/html\n\n\n", why: "a reply to HEAD has no body"},
	{name: "unknown action", request: "GET /index.html?action=bogus HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "action without process", request: "GET /index.html?action=start HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "refresh", request: "GET /?action=refresh HTTP/1.1\r\nHost: h:80\r\n\r\n", want: seeOther("Page%20refreshed%20at%20<time>"), why: "row 58"},
	{name: "start", request: form("action=start&processname=cat"), want: seeOther("ERROR%3A%20Process%20cat%3A%20already%20started"), why: "row 58"},
	{name: "stop", request: form("action=stop&processname=badcmd"), want: seeOther("unexpected%20rpc%20fault%20%5B70%5D%20NOT_RUNNING%3A%20badcmd"), why: "row 58"},
	{name: "no process", request: form("action=stop&processname=two:*"), want: seeOther("No%20such%20process%20named%20two%3A%2A"), why: "row 58"},
	{name: "no password", request: "GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n", tcp: true},
	{name: "no password for rpc", request: "GET /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n", tcp: true},
	{name: "right password", request: credentials("Basic", "user:pa:ss"), tcp: true},
	{name: "scheme in lower case", request: credentials("basic", "user:pa:ss"), tcp: true},
	{name: "wrong password", request: credentials("Basic", "user:pa"), tcp: true},
	{name: "wrong user", request: credentials("Basic", "User:pa:ss"), tcp: true},
	{name: "other scheme", request: credentials("Digest", "user:pa:ss"), tcp: true},
	{name: "no colon", request: credentials("Basic", "user"), tcp: true},
	{name: "no base64", request: "GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: Basic !!!\r\n\r\n", tcp: true},
}

func form(body string) string {
	return fmt.Sprintf("POST /index.html HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
}

func credentials(scheme, text string) string {
	return "GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: " + scheme + " " +
		base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n\r\n"
}

// seeOther is our reply to an action, where Supervisor says 301.
func seeOther(message string) string {
	return "HTTP/1.1 303 See Other\nServer: Medusa/1.12\nContent-Type: text/html\nLocation: http://h/?message=" + message +
		"\nPragma: no-cache\nCache-Control: no-cache\nExpires: Thu, 01 Jan 1970 00:00:00 GMT\n\n" +
		strings.ReplaceAll(errorPage(303, "See Other"), "\r", "") + "\n"
}

func errorPage(status int, message string) string {
	return fmt.Sprintf("<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n<h1>Error response</h1>\r\n"+
		"<p>Error code %d.\r\n<p>Message: %s.\r\n</body>\r\n", status, message)
}

// subject is a daemon that answers: ours in this process, or the original.
type subject struct {
	dir, unix, tcp string
}

// replies runs both tables.
func (s subject) replies(t *testing.T) []entry {
	t.Helper()
	var all []entry
	for _, r := range requests {
		network, addr := "unix", s.unix
		if r.tcp {
			network, addr = "tcp", s.tcp
		}
		all = append(all, entry{r.name, s.normal(outline(raw(t, network, addr, r.request)))})
	}
	post := func(method string, params ...any) string {
		doc, err := xmlrpc.EncodeCall(method, params...)
		if err != nil {
			t.Fatal(err)
		}
		return raw(t, "unix", s.unix, fmt.Sprintf(
			"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(doc), doc))
	}
	for _, c := range calls {
		reply := post(c.method, c.params...)
		head, body, _ := strings.Cut(reply, "\r\n\r\n")
		status, _, _ := strings.Cut(head, "\r\n")
		text := body
		if status != "HTTP/1.1 200 OK" {
			text = status + "\n"
		}
		if c.method == "supervisor.getPID" {
			text = regexp.MustCompile(`<int>\d{2,}<`).ReplaceAllString(text, "<int><pid><")
		}
		if c.ends != "" {
			eventually(t, c.ends+" has ended", func() bool {
				return strings.Contains(post("supervisor.getProcessInfo", c.ends), "<string>STOPPED</string>")
			})
		}
		name := c.method + strings.ReplaceAll(fmt.Sprintf("(%v)", c.params), "\n", `\n`)
		all = append(all, entry{name, s.normal(text)})
	}
	return all
}

// entry is one recorded reply.
type entry struct{ Name, Text string }

const separator = "=== "

// recorded is what testdata/wire/replies.txt holds.
func recorded(t *testing.T) []entry {
	t.Helper()
	data, err := os.ReadFile(repliesFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, separator); ok {
			all = append(all, entry{Name: strings.TrimSuffix(name, "\n")})
		} else {
			all[len(all)-1].Text += line
		}
	}
	return all
}

// outline is the part of an HTTP reply that is compared: what else there is in
// the head differs freely, and pages are our own.
func outline(reply string) string {
	head, body, _ := strings.Cut(reply, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	var b strings.Builder
	b.WriteString(lines[0] + "\n")
	for _, key := range []string{
		"Server", "Content-Type", "Location", "WWW-Authenticate", "X-Accel-Buffering", "Pragma", "Cache-Control", "Expires",
	} {
		for _, line := range lines[1:] {
			if k, v, _ := strings.Cut(line, ": "); strings.EqualFold(k, key) {
				b.WriteString(key + ": " + v + "\n")
			}
		}
	}
	b.WriteString("\n" + strings.ReplaceAll(body, "\r", "") + "\n")
	return b.String()
}

var rules = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`---supervisor-\w{8}`), ""},
	{regexp.MustCompile(`(<name>(?:start|stop|now)</name>\n<value><int>)[1-9]\d*`), "$1<time>"},
	{regexp.MustCompile(`(<name>pid</name>\n<value><int>)[1-9]\d*`), "$1<pid>"},
	{regexp.MustCompile(`pid \d+, uptime \d+:\d\d:\d\d`), "pid <pid>, uptime <time>"},
	{regexp.MustCompile(`[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M`), "<time>"},
	{regexp.MustCompile(`%20at%20[-A-Za-z0-9%]+`), "%20at%20<time>"},
	{regexp.MustCompile(`>4\.\d\.\d<`), "><version><"},
}

// normal replaces what differs from run to run.
func (s subject) normal(text string) string {
	text = strings.ReplaceAll(text, s.dir, "<dir>")
	for _, r := range rules {
		text = r.what.ReplaceAllString(text, r.with)
	}
	return text
}

func TestNormal(t *testing.T) {
	s := subject{dir: "/tmp/x"}
	for in, want := range map[string]string{
		"/tmp/x/cat-stdout---supervisor-ab_12345.log":              "<dir>/cat-stdout.log",
		"<name>start</name>\n<value><int>17</int>":                 "<name>start</name>\n<value><int><time></int>",
		"<name>stop</name>\n<value><int>0</int>":                   "<name>stop</name>\n<value><int>0</int>",
		"<name>pid</name>\n<value><int>0</int>":                    "<name>pid</name>\n<value><int>0</int>",
		"pid 12, uptime 0:00:05":                                   "pid <pid>, uptime <time>",
		"<string>Nov 22 05:59 PM</string>":                         "<string><time></string>",
		"<string>4.2.5</string><string>3.0</string>":               "<string><version></string><string>3.0</string>",
		"?message=Page%20refreshed%20at%20Sun%20Nov%2022%2017%3A5": "?message=Page%20refreshed%20at%20<time>",
	} {
		if got := s.normal(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestWire: our replies are those that were recorded.
func TestWire(t *testing.T) {
	dir := t.TempDir()
	o := newFakeDaemon(t, dir).options(dir)
	s := serve(t, o)
	got := subject{dir: dir, unix: o.Servers[0].Path, tcp: s.servers[1].listener.Addr().String()}.replies(t)
	known := recorded(t)
	if len(got) != len(known) {
		t.Fatalf("%d replies, %d were recorded", len(got), len(known))
	}
	for i, e := range known {
		want, own := e.Text, ""
		if i < len(requests) {
			own = requests[i].want
		} else {
			own = calls[i-len(requests)].want
		}
		if own != "" {
			want = own
		}
		if got[i].Name != e.Name {
			t.Fatalf("reply %d is of %q, recorded was %q", i, got[i].Name, e.Name)
		}
		if diff := cmp.Diff(want, got[i].Text); diff != "" {
			t.Errorf("%s:\n%s", e.Name, diff)
		}
	}
}

// TestWireOriginal: the recorded replies are what the original gives.
func TestWireOriginal(t *testing.T) {
	const program = "/usr/bin/supervisord"
	if _, err := os.Stat(program); err != nil || os.Getuid() != 0 {
		if os.Getenv("REQUIRE_SUPERVISOR") == "1" {
			t.Fatalf("REQUIRE_SUPERVISOR=1, but %s cannot be run as root here: %v", program, err)
		}
		t.Skip("Debian's Supervisor is not here")
	}
	got := original(t, program).replies(t)
	if *record {
		var b strings.Builder
		for _, e := range got {
			b.WriteString(separator + e.Name + "\n" + e.Text)
		}
		if err := os.WriteFile(repliesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(recorded(t), got); diff != "" {
		t.Error(diff)
	}
}

// original runs the real daemon until the test ends.
func original(t *testing.T, program string) subject {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire") // short, for the socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	conf, err := os.ReadFile("testdata/wire/world.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("{dir}", dir, "{port}", strconv.Itoa(port)).Replace(string(conf))
	path := filepath.Join(dir, "s.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "-n", "-c", path)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the original ended with %v\n%s", err, output.String())
		}
	})
	s := subject{dir: dir, unix: filepath.Join(dir, "s.sock"), tcp: fmt.Sprintf("127.0.0.1:%d", port)}
	c := &client{base: "http://localhost", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.unix)
		},
	}}}
	eventually(t, "the original's programs run", func() bool {
		for _, name := range []string{"cat", "nolog", "two:two_00", "two:two_01"} {
			info, err := c.call("supervisor.getProcessInfo", name)
			if err != nil || info.(map[string]any)["statename"] != "RUNNING" {
				return false
			}
			if size, _ := os.Stat(fmt.Sprint(info.(map[string]any)["stdout_logfile"])); name != "nolog" && (size == nil || size.Size() == 0) {
				return false
			}
		}
		return true
	})
	c.http.CloseIdleConnections()
	return s
}

// TestWireDecodes: every recorded reply is read back as what it is.
func TestWireDecodes(t *testing.T) {
	n := 0
	for _, e := range recorded(t) {
		if !strings.HasPrefix(e.Text, "<?xml") {
			continue
		}
		n++
		doc := strings.NewReplacer("<time>", "1", "<pid>", "1", "<dir>", "", "<version>", "").Replace(e.Text)
		_, err := xmlrpc.DecodeResponse(strings.NewReader(doc))
		var fault *xmlrpc.Fault
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
	if n < 100 {
		t.Errorf("only %d replies are there", n)
	}
}
