//go:build browser

package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"supervisord/cmd/internal/oracle"
)

func TestMain(m *testing.M) { os.Exit(oracle.Main(m)) }

// config is of the daemon that is looked at. The programs are called by what they do.
const config = `[inet_http_server]
port=127.0.0.1:%d
username=op
password=night
readonly_username=eye
readonly_password=look

[reconcile]
settle=50ms
settle_removals=100ms
max_removals=1

[include]
files={{.Dir}}/conf.d/*.ini

[program:api]
command=/bin/bash -c 'n=0; while :; do n=$((n+1)); echo "INFO request $n done"; [ $((n%%%%5)) = 0 ] && echo "ERROR payment $n: 502 Bad Gateway"; [ $((n%%%%7)) = 0 ] && echo "WARNING pool is nearly full"; sleep 0.5; done'

[program:mailer]
command=/bin/sh -c 'echo "ERROR connection refused" >&2; exit 3'
startretries=0

[program:web]
command=/bin/cat
process_name=%%(program_name)s_%%(process_num)02d
numprocs=3
environment=DB_PASSWORD="geheim"

[program:nightly]
command=/bin/true
startsecs=0
autorestart=false

[eventlistener:alerts]
command=/bin/sh -c 'echo READY; while read -r header; do head -c "${header##*len:}" >/dev/null; printf "RESULT 2\nOKREADY\n"; done'
events=PROCESS_STATE_FATAL
`

// browser is a page in Chromium.
type browser struct {
	*testing.T
	ctx  context.Context
	base string
}

// start has a browser open nothing yet. What it says is wrong with a page fails the test.
func start(t *testing.T, base string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(oracle.Deadline))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the script has failed: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if e.Entry.Source == log.SourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
				t.Errorf("the browser says: %s", e.Entry.Text)
			}
		}
	})
	return &browser{t, ctx, base}
}

// do runs actions; what cannot be done fails the test at once.
func (b *browser) do(actions ...chromedp.Action) {
	b.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// open goes to a page.
func (b *browser) open(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// until waits until an expression is true.
func (b *browser) until(what, expression string) {
	b.Helper()
	if err := chromedp.Run(b.ctx, chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(oracle.Deadline))); err != nil {
		var text string
		chromedp.Run(b.ctx, chromedp.Evaluate("location + '\\n' + document.body.innerText.slice(0, 3000)", &text))
		b.Fatalf("%s: never: %v\n%s", what, err, text)
	}
}

// is the value of an expression.
func (b *browser) is(expression string) (value string) {
	b.Helper()
	b.do(chromedp.Evaluate("String("+expression+")", &value))
	return value
}

// fill gives a field another text.
func (b *browser) fill(field, text string) {
	b.Helper()
	b.is(fmt.Sprintf(`(f => { f.value = %q; f.dispatchEvent(new Event('input', { bubbles: true })); })(document.querySelector(%q))`, text, field))
}

// as says who asks from now on.
func (b *browser) as(name, password string) {
	credentials := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
	b.do(network.Enable(), network.SetExtraHTTPHeaders(network.Headers{"Authorization": "Basic " + credentials}))
}

func (b *browser) look(width int64, scheme string) {
	b.do(chromedp.EmulateViewport(width, 900),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

const row = `document.querySelector('tr[data-key="%s"]')`

func stateIs(name, state string) string {
	return fmt.Sprintf(row+`?.dataset.state === %q`, name, state)
}

// TestWalk is one walk through everything. What comes after needs what was before.
func TestWalk(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("AXE_CORE"))
	if err != nil {
		t.Fatal("AXE_CORE is to name axe.min.js of the npm package axe-core: ", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf.d")
	if err := os.Mkdir(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("three.ini", "[program:one]\ncommand=/bin/cat\n[program:two]\ncommand=/bin/cat\n[program:three]\ncommand=/bin/cat\n")
	begun := time.Now()
	daemon := oracle.StartDaemon(t, oracle.Ours, dir, oracle.Prelude+fmt.Sprintf(config, port))
	b := start(t, fmt.Sprintf("http://127.0.0.1:%d/", port))
	b.look(1280, "light")
	t.Logf("daemon and browser are there after %v", time.Since(begun).Round(time.Second))

	// Log in.
	if err := chromedp.Run(b.ctx, chromedp.Navigate(b.base)); err == nil || !strings.Contains(err.Error(), "AUTH") {
		t.Errorf("without a password: %v", err)
	}
	b.as("op", "night")
	b.open("")
	b.until("the programs run", stateIs("api", "running")+" && "+stateIs("mailer", "fatal")+" && "+stateIs("nightly", "exited"))
	b.until("the page is live", `document.querySelector('#live').textContent === 'live'`)
	b.until("it says what is wrong", `document.querySelector('.health').innerText.includes('1 process down') && document.querySelector('.troubles').innerText.includes('exit status 3')`)

	// The keyboard, and the filter.
	b.do(chromedp.KeyEvent("/"))
	b.until("the key for the filter", `document.activeElement.id === 'filter'`)
	b.fill("#filter", "WEB_0")
	b.until("the filter", `[...document.querySelectorAll('tbody tr:not([hidden])')].map(r => r.dataset.key).join() === 'web:*,web:web_00,web:web_01,web:web_02'`)
	b.do(chromedp.KeyEvent("\u001b"), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("x"))
	b.until("the keys", `document.querySelector('#chosen').textContent === '1 selected' && document.activeElement.textContent === 'web:web_01'`)
	started := b.is(fmt.Sprintf(row+".querySelector('time').dataset.t", "web:web_01"))
	b.do(chromedp.KeyEvent("r"))
	b.until("it is restarted", fmt.Sprintf(row+`.querySelector('time')?.dataset.t > %q`, "web:web_01", started)+" && "+stateIs("web:web_01", "running")+` && document.activeElement.textContent === 'web:web_01'`)
	b.do(chromedp.Click(`.bulk button[value=stop]`))
	b.until("it asks about those that are shown", `document.querySelector('#ask').open && document.querySelector('#ask-names').textContent === 'web:web_00, web:web_01, web:web_02'`)
	b.do(chromedp.Click(`#ask button[value=no]`))
	b.fill("#filter", "")
	b.do(chromedp.Click(`.chip[data-state="fatal"]`))
	b.until("the states", `[...document.querySelectorAll('tbody tr:not([hidden])')].map(r => r.dataset.key).join() === 'mailer'`)
	b.do(chromedp.Click(`.chip[data-state=""]`))
	// A click goes to where the button was: all that moves it is to be there first, and the
	// reason of the last end widens its column.
	b.until("all are shown", `!document.querySelector('tr[data-key=one]').hidden && !document.querySelector('tr[data-key=mailer]').hidden`)
	b.until("it says why", fmt.Sprintf(row+`.innerText.includes('last end: terminated by SIGTERM')`, "web:web_01"))

	// Stop one, start it, and be asked about all.
	b.do(chromedp.Click(`button[value="stop one"]`))
	b.until("it is stopped", stateIs("one", "stopped"))
	b.until("it says so", `document.querySelector('.toast')?.textContent === 'one stopped'`)
	b.do(chromedp.Click(`button[value="start one"]`))
	b.until("it is started", stateIs("one", "running"))
	b.do(chromedp.Click(`tr[data-key=two] input`), chromedp.Click(`tr[data-key=three] input`), chromedp.Click(`.bulk button[value=stop]`))
	b.until("it asks", `document.querySelector('#ask').open && document.querySelector('#ask-text').textContent === 'Stop 2 processes?' && document.querySelector('#ask-names').textContent === 'three, two'`)
	b.do(chromedp.Click(`#ask button.main`))
	b.until("both are stopped", stateIs("two", "stopped")+" && "+stateIs("three", "stopped"))

	// Follow a log.
	b.open("process?name=api")
	b.until("it is followed", `document.querySelectorAll('#log span').length > 3`)
	lines := b.is(`document.querySelector('#log').lastElementChild.textContent`)
	b.until("new lines come", fmt.Sprintf(`document.querySelector('#log').lastElementChild.textContent !== %q && document.querySelector('#log .err')`, lines))
	b.do(chromedp.Click("#pause"), chromedp.SendKeys("#filter", "payment"))
	b.until("the search", `document.querySelector('#log mark').textContent === 'payment' && document.querySelectorAll('#log span[hidden]').length > 0`)
	b.open("process?name=web:web_00")
	b.until("the definition has its places", `/numprocs|command/.test(document.querySelector('.pairs').innerText) && document.querySelector('.pairs .at').innerText.includes('.conf:')`)
	if text := b.is("document.documentElement.outerHTML"); strings.Contains(text, "geheim") {
		t.Error("a secret is shown")
	}

	// A file with a mistake, and an update that is held.
	b.open("files")
	write("new.ini", "[program:new]\ncommand=/bin/cat\nstopwaitsecs=ten\n")
	b.until("the mistake at its line", `document.querySelector('.source .wrong')?.textContent.includes('stopwaitsecs=ten')`)
	b.scan(axe, "files, light")
	write("new.ini", "[program:new]\ncommand=/bin/cat\n")
	b.until("the mistake is mended", `!document.querySelector('.source') && document.body.innerText.includes('new')`)
	if err := os.Remove(filepath.Join(conf, "three.ini")); err != nil {
		t.Fatal(err)
	}
	b.until("it is held", `document.querySelector('.head .state').textContent === 'held' && document.querySelectorAll('.diff .act.remove').length === 3`)
	b.pictures("held")
	b.do(chromedp.Click(`button[value=update]`))
	b.until("it asks before it removes as many", `document.querySelector('#ask').open && document.querySelector('#ask-text').textContent.includes('3 to remove')`)
	b.do(chromedp.Click(`#ask button.main`))
	b.until("it is applied", `document.querySelector('.head .state').textContent === 'synced' && document.querySelector('.history').innerText.includes('remove')`)

	// For everybody: what axe knows, no overflow on a phone and at 200 %, all in both schemes.
	b.as("eye", "look")
	b.open("")
	t.Logf("all was done after %v", time.Since(begun).Round(time.Second))
	b.until("who may only look has no buttons", `document.querySelector('.tag').textContent === 'read only' && !document.querySelector('button[name=do]')`)
	b.as("op", "night")
	for path, name := range map[string]string{"": "overview", "process?name=api": "process", "files": "files", "listeners": "listeners"} {
		b.look(1280, "light")
		b.open(path)
		b.until("it is there", `document.documentElement.classList.contains('script')`)
		for _, scheme := range []string{"light", "dark"} {
			b.look(1280, scheme)
			b.scan(axe, name+", "+scheme)
			for _, width := range []int64{640, 390, 320} { // 640 is what 1280 has at 200 %
				b.look(width, scheme)
				if over := b.is(`document.documentElement.scrollWidth - document.documentElement.clientWidth`); over != "0" {
					t.Errorf("%s at %d: %s pixels too wide", name, width, over)
				}
			}
		}
		b.pictures(name)
		if name == "overview" {
			b.sameToReaders()
		}
	}

	t.Logf("all was looked at after %v", time.Since(begun).Round(time.Second))

	// A host that says nothing more, though its connections stand, does not look live.
	b.look(1280, "light")
	b.open("")
	b.until("the page is live", `document.querySelector('#live').textContent === 'live'`)
	daemon.Signal(syscall.SIGSTOP)
	defer daemon.Signal(syscall.SIGCONT)
	b.until("nothing is heard of it", `document.querySelector('#live').textContent === 'not connected' && document.documentElement.classList.contains('lost')`)
	shown := `[...document.querySelectorAll('tbody time')].map(e => e.textContent).join()`
	before := b.is(shown)
	b.do(chromedp.Sleep(2 * time.Second)) // in which times that count on would have
	if now := b.is(shown); now != before {
		t.Errorf("times count on: %s, %s before", now, before)
	}
	daemon.Signal(syscall.SIGCONT)
	b.until("it is heard again", `document.querySelector('#live').textContent === 'live' && !document.documentElement.classList.contains('lost')`)

	// And all of it without script.
	b.look(1280, "light")
	b.do(emulation.SetScriptExecutionDisabled(true))
	b.open("?q=web_00")
	b.do(chromedp.WaitVisible(`tr[data-key="web:web_00"]`), chromedp.WaitNotPresent(`tr[data-key="api"]`),
		chromedp.Click(`button[value="stop web:web_00"]`),
		chromedp.WaitVisible(`.message`), chromedp.WaitVisible(`tr[data-key="web:web_00"][data-state=stopped]`),
		chromedp.Click(`.bulk button[value=start]`), chromedp.WaitVisible(`form.ask`), chromedp.Click(`form.ask button.main`),
		chromedp.WaitVisible(`tr[data-key="web:web_00"][data-state=running]`),
		chromedp.Click(`tr[data-key=api] th a`), chromedp.WaitVisible(`#log span`),
		chromedp.SendKeys(`#filter`, "payment\r"), chromedp.WaitVisible(`#filter[value=payment]`), chromedp.WaitVisible(`#log .err`))
	b.open("")
	b.do(chromedp.Click(`button[value="restart web:web_01"]`), chromedp.WaitVisible(`.message`))
	// eventually opens the files until something is there: without script they stay as they are.
	eventually := func(what, selector string) {
		t.Helper()
		if !oracle.Eventually(oracle.Deadline, func() bool {
			var found []*cdp.Node
			b.open("files")
			b.do(chromedp.Nodes(selector, &found, chromedp.ByQueryAll, chromedp.AtLeast(0)))
			return len(found) > 0
		}) {
			t.Fatalf("without script: %s: never", what)
		}
	}
	write("wrong.ini", "[program:wrong]\ncommand=/bin/cat\nstopwaitsecs=ten\n")
	eventually("the mistake at its line", `.source .wrong`)
	write("wrong.ini", "[program:five]\ncommand=/bin/cat\n[program:six]\ncommand=/bin/cat\n")
	eventually("it is mended", `.head .state.good`)
	if err := os.Remove(filepath.Join(conf, "wrong.ini")); err != nil {
		t.Fatal(err)
	}
	eventually("it is held", `.head .state.warn`)
	b.do(chromedp.Click(`button[value=update]`), chromedp.WaitVisible(`form.ask`), chromedp.Click(`form.ask button.main`), chromedp.WaitVisible(`.message`))
	eventually("it is applied", `.head .state.good`)
}

// sameToReaders checks that the lines of the table, each of which is laid out on its own, are
// rows of a table with cells to who has them read aloud.
func (b *browser) sameToReaders() {
	b.Helper()
	var tree struct { // what cdproto has for it fails on names that it does not know
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    struct {
				Value string `json:"value"`
			} `json:"role"`
		} `json:"nodes"`
	}
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	roles := make(map[string]int)
	for _, n := range tree.Nodes {
		if !n.Ignored {
			roles[n.Role.Value]++
		}
	}
	rows := b.is(`document.querySelectorAll('.processes tr:not([hidden])').length`)
	if got := strconv.Itoa(roles["row"]); got != rows || roles["table"] != 1 || roles["rowheader"] == 0 || roles["cell"] <= roles["row"] {
		b.Errorf("of %s lines %s are rows: %v", rows, got, roles)
	}
}

// scan has axe look at the page.
func (b *browser) scan(axe []byte, what string) {
	b.Helper()
	var found []string
	if b.is("typeof axe") == "undefined" {
		b.do(chromedp.Evaluate(string(axe)+";0", nil))
	}
	b.do(chromedp.Evaluate(`axe.run({ resultTypes: ['violations'] }).then(r => r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.flatMap(v => v.nodes.map(n => v.id + ': ' + v.help + ': ' + n.html.slice(0, 200) + ' ' + n.failureSummary)))`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, fault := range found {
		b.Errorf("%s: %s", what, fault)
	}
}

// pictures are taken of the page that is open, where somebody asks for them.
func (b *browser) pictures(name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, scheme)
			var png []byte
			b.do(chromedp.FullScreenshot(&png, 100))
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), png, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
}
