package rpc

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/spec"
)

// What follows must stay as it is: clients in use break on anything else.

// TestEveryReplyHasALength: Tcl's library, ROS' XmlRpc++, flxmlrpc and a PHP client
// read Content-Length and cannot read chunks. Streams alone have none.
func TestEveryReplyHasALength(t *testing.T) {
	dir := shortDir(t)
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	many := make([]any, 300)
	for i := range many {
		many[i] = item("supervisor.getAllConfigInfo", []any{}) // more than any buffer
	}
	requests := []string{
		post(t, "supervisor.getAllProcessInfo"), post(t, "nope"), post(t, "system.multicall", many),
		post(t, "supervisor.readProcessStdoutLog", "cat", 0, 0),
		"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "GET /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	for _, path := range []string{
		"/", "/?action=refresh", "/?action=stop&processname=cat", "/tail.html?processname=cat", "/ok.html", "/metrics", "/nope", "/images",
		"/stylesheets/supervisor.css", "/logtail/nope", "/index.html;x",
	} {
		requests = append(requests, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	for _, request := range requests {
		for _, version := range []string{"1.1", "1.0"} {
			request := strings.Replace(request, "HTTP/1.1", "HTTP/"+version, 1)
			header, body, _ := strings.Cut(raw(t, "unix", s.servers[0].Path, request), "\r\n\r\n")
			length := regexp.MustCompile(`(?m)^Content-Length: (\d+)\r?$`).FindStringSubmatch(header)
			if length == nil || length[1] != strconv.Itoa(len(body)) || strings.Contains(header, "Transfer-Encoding") {
				t.Errorf("%.60q, %d bytes: %s", request, len(body), header)
			}
		}
	}
	conn := sendRaw(t, s, "GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	text := ""
	for buf := make([]byte, 1000); !strings.Contains(text, "second line\n\r\n"); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("%q, %v", text, err)
		}
		text += string(buf[:n])
	}
	// Python's tail -f looks for this spelling, reads the size as a bare number, and
	// splits the status line at two spaces.
	if !strings.HasPrefix(text, "HTTP/1.1 200 OK\r\n") || !strings.Contains(text, "\r\nTransfer-Encoding: chunked\r\n") ||
		!strings.Contains(text, "\r\n\r\n17\r\nfirst line\nsecond line\n\r\n") {
		t.Errorf("%q", text)
	}
}

// TestEncodingOfValues: seven libraries break on <array/>, others on a value without a
// type, and three wrap an integer of more than 32 bits without a word.
func TestEncodingOfValues(t *testing.T) {
	w, o := unixOnly(t)
	w.procs[0].Start = w.procs[0].Start.AddDate(5000, 0, 0) // beyond 2038
	w.procs[0].Stop = w.procs[0].Start
	w.active["two"] = false
	c := dial(t, serve(t, o), 0)
	typed := regexp.MustCompile(`<value><(string|int|boolean|array|struct)>`)
	integer := regexp.MustCompile(`<int>(-?\d+)</int>`)
	for _, call := range [][]any{
		{"system.listMethods"}, {"system.methodSignature", "system.multicall"}, {"system.methodHelp", "supervisor.startProcess"},
		{"system.multicall", []any{}}, {"system.multicall", []any{item("nope", []any{})}},
		{"supervisor.getAllProcessInfo"}, {"supervisor.getAllConfigInfo"}, {"supervisor.getState"}, {"supervisor.getPID"},
		{"supervisor.reloadConfig"}, {"supervisor.startProcessGroup", "cat"}, {"supervisor.stopProcessGroup", "two"},
		{"supervisor.tailProcessStdoutLog", "cat", 0, 10}, {"supervisor.readLog", 0, 0}, {"supervisor.getProcessInfo", "nope"},
	} {
		doc, err := xmlrpc.EncodeCall(call[0].(string), call[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		_, reply := c.do(t, "POST", "/RPC2", string(doc))
		if strings.Contains(reply, "<array/>") || strings.Contains(reply, "<data/>") || strings.Contains(reply, "<value/>") {
			t.Errorf("%v has a short form: %s", call, reply)
		}
		if values, types := strings.Count(reply, "<value>"), len(typed.FindAllString(reply, -1)); values != types || values == 0 {
			t.Errorf("%v: %d values, %d types: %s", call, values, types, reply)
		}
		for _, n := range integer.FindAllStringSubmatch(reply, -1) {
			if _, err := strconv.ParseInt(n[1], 10, 32); err != nil {
				t.Errorf("%v: %v", call, err)
			}
		}
	}
	doc, err := xmlrpc.EncodeCall("system.multicall", []any{})
	if err != nil {
		t.Fatal(err)
	}
	if _, reply := c.do(t, "POST", "/RPC2", string(doc)); !strings.Contains(reply, "<value><array><data>\n</data></array></value>") {
		t.Errorf("an empty array: %s", reply)
	}
}

// TestCredentials: what is not base64 is read as Python reads it, and the header that
// asks for credentials is spelled as in Supervisor, for those who look for it by hand.
func TestCredentials(t *testing.T) {
	sv := spec.Server{Username: "user", Password: "pa:ss"}
	right := base64.StdEncoding.EncodeToString([]byte("user:pa:ss")) // ends with ==
	for credentials, want := range map[string]int{
		"Basic " + right:                          0,
		"basic  " + right:                         0,
		"Basic " + right[:4] + "-" + right[4:]:    0, // Python passes over what it does not know
		"Basic " + right + "junk":                 0,
		"Basic " + strings.TrimRight(right, "="):  400,
		"Basic " + strings.TrimSuffix(right, "="): 400,
		"Basic A":    400,
		"Basic dTr/": 400, // no UTF-8
		"Basic !!!":  500,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("nobody")):  500,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("user:pa")): 401,
		"Basic": 401, "": 401, "Digest " + right: 401,
	} {
		r := &http.Request{Header: http.Header{"Authorization": {credentials}}}
		if _, got := authorize(sv, r); got != want {
			t.Errorf("%q: %d, want %d", credentials, got, want)
		}
	}
	dir := shortDir(t)
	s := serve(t, newFakeDaemon(t, dir).options(dir))
	reply := raw(t, "tcp", s.servers[1].listener.Addr().String(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if !strings.Contains(reply, "\r\nWWW-Authenticate: Basic realm=\"default\"\r\n") {
		t.Errorf("%s", reply)
	}
}
