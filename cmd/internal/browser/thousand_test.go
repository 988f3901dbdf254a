//go:build browser

package browser

import (
	"fmt"
	"math"
	"net"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"supervisord/cmd/internal/oracle"
)

// TestThousand: the page of a thousand programs comes in less than 150 KB with all that
// belongs to it. When a browser shows something of it is told: the best of five, which is
// meant to be within 300 ms where nothing else is done.
func TestThousand(t *testing.T) {
	if os.Getenv("FULL_SIZE") == "" {
		t.Skip("FULL_SIZE is not set")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	oracle.StartDaemon(t, oracle.Ours, t.TempDir(), oracle.Prelude+fmt.Sprintf(`[inet_http_server]
port=127.0.0.1:%d

[program:service]
command=/bin/cat
process_name=%%(program_name)s_%%(process_num)03d
numprocs=1000
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
`, port))
	b := start(t, fmt.Sprintf("http://127.0.0.1:%d/", port))
	b.look(1280, "light")
	b.open("")
	b.until("all run", `document.querySelectorAll('tbody tr[data-state=running]').length === 1000`)
	best, wire, answered := math.Inf(1), 0.0, 0.0
	for range 5 {
		b.open("")
		b.until("it was painted", `performance.getEntriesByName('first-contentful-paint').length === 1`)
		var painted, answer, received float64
		b.do(chromedp.Evaluate(`performance.getEntriesByName('first-contentful-paint')[0].startTime`, &painted),
			chromedp.Evaluate(`performance.getEntriesByType('navigation')[0].responseEnd`, &answer),
			chromedp.Evaluate(`[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((n, e) => n + e.encodedBodySize, 0)`, &received))
		if wire = max(wire, received); painted < best {
			best, answered = painted, answer
		}
	}
	t.Logf("answered after %.0f ms, painted after %.0f ms, %.0f bytes", answered, best, wire)
	if wire > 150_000 || wire == 0 {
		t.Errorf("%.0f bytes", wire)
	}
}
