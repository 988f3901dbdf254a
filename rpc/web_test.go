package rpc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image/gif"
	"image/png"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"supervisord/runtime"
	"supervisord/runtime/state"
)

// TestStatusPage has the texts, links and classes of contract/rpc.md section 8.
func TestStatusPage(t *testing.T) {
	w, o := unixOnly(t)
	w.procs[3].State, w.procs[3].SpawnErr = state.Fatal, "it <broke>"
	w.procs[4].State = state.Stopping
	c := dial(t, serve(t, o), 0)
	resp, page := c.do(t, "GET", "/", "")
	for key, want := range map[string]string{
		"Content-Type": "text/html;charset=utf-8", "Pragma": "no-cache", "Cache-Control": "no-cache",
		"Expires": "Thu, 01 Jan 1970 00:00:00 GMT", "Server": "Medusa/1.12",
	} {
		if got := resp.Header.Get(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
	wellFormed(t, page)
	for _, want := range []string{
		`<title>Supervisor Status</title>`,
		`<link href="stylesheets/supervisor.css" rel="stylesheet" type="text/css" />`,
		`href="images/icon.png"`, `src="images/supervisor.gif"`,
		`<div class="hidden">#</div>`, `id="buttons"`,
		`<a href="index.html?action=refresh">Refresh</a>`,
		`<form action="index.html?action=restartall" method="post"><button type="submit">Restart All</button></form>`,
		`<form action="index.html?action=stopall" method="post"><button type="submit">Stop All</button></form>`,
		`<th class="state">State</th>`, `<th class="desc">Description</th>`, `<th class="name">Name</th>`, `<th class="action">Action</th>`,
		`<span class="statusrunning">running</span>`, `<span class="statuserror">fatal</span>`, `<span class="statusnominal">stopped</span>`,
		`it &lt;broke&gt;`, `pid 101, uptime 0:01:30`, `Not started`,
		`<a href="tail.html?processname=two%3Atwo_00" target="_blank">two:two_00</a>`,
		`<form action="index.html?processname=two%3Atwo_00&amp;action=restart" method="post"><button type="submit" name="Restart">Restart</button></form>`,
		`<a href="logtail/two%3Atwo_00" name="Tail -f Stdout" target="_blank">Tail -f Stdout</a>`,
		`<a href="logtail/two%3Atwo_00/stderr" name="Tail -f Stderr" target="_blank">Tail -f Stderr</a>`,
		"<span>4.3.0</span>", fmt.Sprintf("2006-<span>%d</span>", time.Now().Year()),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing", want)
		}
	}
	rows := regexp.MustCompile(`<tr class="(\w*)">`).FindAllStringSubmatch(page, -1)
	if len(rows) != 7 || rows[0][1] != "" || rows[1][1] != "shade" || rows[2][1] != "" {
		t.Errorf("rows: %v", rows)
	}

	_, page = c.do(t, "GET", "/index.html?message="+url.QueryEscape("<b>hello"), "")
	if !strings.Contains(page, `<div class="status_msg">&lt;b&gt;hello</div>`) {
		t.Error("the message is not shown")
	}
	if strings.Contains(page, "invalid") {
		t.Error("a file is called invalid where there is none")
	}
	for range 12 {
		w.configFiles = append(w.configFiles, ConfigFile{Path: "/a", State: "applied"}, ConfigFile{Path: "/b", State: "invalid", Reason: "/b:3: [program:b] <user>"})
	}
	_, page = c.do(t, "GET", "/", "")
	if n := strings.Count(page, `<div class="status_msg">invalid: /b:3: [program:b] &lt;user&gt;</div>`); n != 10 ||
		!strings.Contains(page, `<div class="status_msg">2 more files are invalid: supervisorctl files</div>`) {
		t.Errorf("of 12 files that cannot be used %d are shown in:\n%s", n, page)
	}
	w.procs = nil
	if _, page = c.do(t, "GET", "/", ""); !strings.Contains(page, "No programs to manage") || strings.Contains(page, "<table") {
		t.Error("an empty configuration is not told")
	}
	w.snapErr = errors.New("no")
	if resp, _ := c.do(t, "GET", "/", ""); resp.StatusCode != 500 {
		t.Error(resp.Status)
	}
}

// TestRowActions has a row for each state of contract/rpc.md section 8.
func TestRowActions(t *testing.T) {
	for _, p := range state.Processes {
		want := "–, –"
		switch p {
		case state.Running:
			want = "Restart, Stop"
		case state.Stopped, state.Exited, state.Fatal:
			want = "Start, –"
		}
		want += ", Clear Log, Tail -f Stdout, Tail -f Stderr"
		var names []string
		for _, a := range actions(p, "index.html", "x") {
			if a.Name == "" {
				a.Name = "–"
			}
			names = append(names, a.Name)
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s: %s", p, got)
		}
	}
}

func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("the page is no XML: %v\n%s", err, page)
		}
	}
}

// TestActions: each action by POST, with its message, and none by GET.
func TestActions(t *testing.T) {
	for _, tc := range []struct {
		action, process, message string
		mood                     state.Mood
	}{
		{"stop", "cat", "Process cat stopped", 1},
		{"stop", "badcmd", "unexpected rpc fault [70] NOT_RUNNING: badcmd", 1},
		{"stop", "nope", "No such process named nope", 1},
		{"stop", "two:*", "No such process named two:*", 1},
		{"stop", "cat", "unexpected rpc fault [6] SHUTDOWN_STATE", state.MoodShutdown},
		{"start", "stopped", "Process stopped started", 1},
		{"start", "badcmd", "ERROR: Process badcmd: no such file", 1},
		{"start", "cat", "ERROR: Process cat: already started", 1},
		{"start", "quick", "ERROR: Process quick: spawn error", 1},
		{"start", "two:two_00", "ERROR: Process two:two_00: abnormal termination", 1},
		{"start", "two:two_01", "ERROR: Process two:two_01: file not executable", 1},
		{"start", "nolog", "ERROR: Process nolog: unexpected rpc fault [30] FAILED: nolog is in an unknown process state", 1},
		{"restart", "cat", "Process cat restarted", 1},
		{"restart", "stopped", "Process stopped restarted", 1},
		{"restart", "quick", "ERROR: Process quick: spawn error", 1},
		{"restart", "cat", "unexpected rpc fault [6] SHUTDOWN_STATE", state.MoodShutdown},
		{"clearlog", "cat", "Log for cat cleared", 1},
		{"stopall", "", "All stopped at <time>", 1},
		{"restartall", "", "All restarted at <time>", 1},
		{"restartall", "", "unexpected rpc fault [6] SHUTDOWN_STATE", state.MoodRestarting},
		{"refresh", "", "Page refreshed at <time>", 1},
	} {
		t.Run(tc.action+" "+tc.process, func(t *testing.T) {
			w, o := unixOnly(t)
			w.mood = tc.mood
			w.procs[5].State = state.Stopping
			w.procs[6].State, w.procs[6].refuse = state.Stopped, &runtime.Error{Kind: runtime.NotExecutable, Detail: "x"}
			w.procs[2].State = state.Unknown
			c := dial(t, serve(t, o), 0)
			query := "?action=" + tc.action + "&processname=" + url.QueryEscape(tc.process)

			before, _ := w.Snapshot(t.Context())
			resp, page := c.do(t, "GET", "/index.html"+query, "", "Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
			after, _ := w.Snapshot(t.Context())
			for i := range before {
				if before[i].State != after[i].State {
					t.Errorf("GET changed %s to %s", after[i].Name, after[i].State)
				}
			}
			if tc.action != "refresh" && (resp.StatusCode != 200 || !strings.Contains(page, `method="post"`) || !strings.Contains(page, "?</p>")) {
				t.Errorf("GET: %s %s", resp.Status, page)
			}
			if resp.StatusCode == 200 {
				wellFormed(t, page)
			}

			resp, _ = c.do(t, "POST", "/index.html"+query, "", "Host", "a.example:80")
			if resp.StatusCode != 303 {
				t.Fatal(resp.Status)
			}
			location := resp.Header.Get("Location")
			message, found := strings.CutPrefix(location, "http://a.example/?message=")
			text, err := url.PathUnescape(message)
			text = regexp.MustCompile(` at [A-Z].* \d{4}$`).ReplaceAllString(text, " at <time>")
			if !found || err != nil || text != tc.message {
				t.Errorf("%s: %q, %v", location, text, err)
			}
		})
	}
}

// TestConfirmation: the page that an old link leads to does what the link did.
func TestConfirmation(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	_, page := c.do(t, "GET", "/index.html?action=stop&processname=two%3Atwo_00", "")
	wellFormed(t, page)
	values := url.Values{}
	for _, m := range regexp.MustCompile(`name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		values.Set(m[1], m[2])
	}
	if !strings.Contains(page, "Stop two:two_00?") {
		t.Errorf("it does not ask: %s", page)
	}
	resp, _ := c.do(t, "POST", "/index.html", values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if info, _ := w.Info(t.Context(), "two", "two_00"); resp.StatusCode != 303 || info.State != state.Stopped {
		t.Errorf("%s, %s", resp.Status, info.State)
	}
}

func TestTailPage(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	cat, _ := w.Info(t.Context(), "cat", "cat")
	log := strings.Repeat("x", 3000) + "<end>\xff"
	if err := os.WriteFile(cat.StdoutLog, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]string{
		"":                                {"Supervisor tail of process None", "No process name found"},
		"?processname=nope":               {"ERROR: unexpected rpc fault [10] BAD_NAME: nope", "tail.html?processname=nope&amp;limit=1024"},
		"?processname=two:*":              {"ERROR: unexpected rpc fault [10] BAD_NAME: two:*"},
		"?processname=nolog":              {"No file for nolog"},
		"?processname=quick":              {"No file for quick"},
		"?processname=cat":                {"Supervisor tail of process cat", ">\n" + strings.Repeat("x", 1018) + "&lt;end&gt;\uFFFD</pre>"},
		"?processname=cat&limit=5":        {">\n" + strings.Repeat("x", 1018) + "&lt;end&gt;\uFFFD</pre>"},
		"?processname=cat&limit=2000":     {">\n" + strings.Repeat("x", 1994) + "&lt;end&gt;\uFFFD</pre>", "limit=2000"},
		"?processname=cat&limit=9999":     {">\n" + strings.Repeat("x", 3000) + "&lt;end&gt;\uFFFD</pre>"},
		"?processname=cat&limit=nonsense": {"limit=1024"},
	} {
		resp, page := c.do(t, "GET", "/tail.html"+query, "")
		wellFormed(t, page)
		for _, text := range want {
			if resp.StatusCode != 200 || !strings.Contains(page, text) {
				t.Errorf("%s: %s, %.60q is missing in\n%s", query, resp.Status, text, page)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	_, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	resp, icon := c.do(t, "GET", "/images/icon.png", "")
	if _, err := png.Decode(strings.NewReader(icon)); err != nil || resp.Header.Get("Content-Type") != "image/png" {
		t.Errorf("icon.png: %v, %s", err, resp.Header.Get("Content-Type"))
	}
	stamp := resp.Header.Get("Last-Modified")
	if resp, body := c.do(t, "GET", "/images/icon.png", "", "If-Modified-Since", stamp); resp.StatusCode != 304 || body != "" {
		t.Errorf("again: %s", resp.Status)
	}
	if resp, body := c.do(t, "HEAD", "/images/icon.png", ""); resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(icon)) {
		t.Errorf("HEAD: %s %q %d", resp.Status, body, resp.ContentLength)
	}
	resp, image := c.do(t, "GET", "/images/supervisor.gif", "")
	if _, err := gif.Decode(strings.NewReader(image)); err != nil || resp.Header.Get("Content-Type") != "image/gif" {
		t.Errorf("supervisor.gif: %v", err)
	}
	for path, kind := range map[string]string{"/stylesheets/supervisor.css": "text/css", "/status.html": "text/html"} {
		if resp, body := c.do(t, "GET", path, ""); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != kind || body == "" {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
	}
	resp, _ = c.do(t, "GET", "/images", "", "Host", "h")
	if resp.StatusCode != 301 || resp.Header.Get("Location") != "http://h/images/" {
		t.Errorf("%s %s", resp.Status, resp.Header.Get("Location"))
	}
	for _, path := range []string{"/images/", "/stylesheets/", "/icon.png", "/images/../../server.go", "/images/icon.png/"} {
		if resp, _ := c.do(t, "GET", path, ""); resp.StatusCode != 404 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestPyQuote(t *testing.T) {
	for in, want := range map[string]string{
		"foo:foo-0": "foo%3Afoo-0", "a b*c~_/.": "a%20b%2Ac~_/.", "é": "%C3%A9", "[70] X": "%5B70%5D%20X", "": "",
	} {
		if got := pyQuote(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}

// TestOldLinkInAScript: a script that gets an old link, and would take 200 for done,
// is answered 405, with the page and with the method that would do it.
func TestOldLinkInAScript(t *testing.T) {
	w, o := unixOnly(t)
	c := dial(t, serve(t, o), 0)
	for _, tc := range []struct {
		want   int
		header []string
	}{
		{405, nil},
		{405, []string{"Accept", "*/*", "User-Agent", "curl/8.5.0"}},
		{405, []string{"Accept", "*/*", "User-Agent", "Wget/1.21", "Accept-Encoding", "identity"}},
		{405, []string{"Accept", "application/json"}},
		{200, []string{"Accept", "Text/HTML, */*"}},
		{200, []string{"Accept", "*/*", "Sec-Fetch-Mode", "navigate"}},
	} {
		for _, path := range []string{"/?action=restart&processname=cat", "/index.html?action=stopall"} {
			resp, body := c.do(t, "GET", path, "", tc.header...)
			if resp.StatusCode != tc.want || !strings.Contains(body, `method="post"`) || (resp.Header.Get("Allow") == "POST") != (tc.want == 405) {
				t.Errorf("%s %v: %s %v", path, tc.header, resp.Status, resp.Header)
			}
		}
		if resp, _ := c.do(t, "GET", "/", "", tc.header...); resp.StatusCode != 200 {
			t.Errorf("the page itself: %s", resp.Status)
		}
	}
	if info, err := w.Info(t.Context(), "cat", "cat"); err != nil || info.State != state.Running {
		t.Errorf("%s, %v", info.State, err)
	}
}
