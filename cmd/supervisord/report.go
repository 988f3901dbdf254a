package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"supervisord/reconcile"
	"supervisord/runtime/launch"
	"supervisord/runtime/trust"
	"supervisord/spec"
	"supervisord/spec/value"
)

// reporter reports the outcome of the configuration files to report_command and report_url. It
// runs on a goroutine of its own, and delivers the newest state to each at least once: a
// failed delivery is retried until it succeeds or there is a newer state. That outlives the
// daemon where there is a state directory.
type reporter struct {
	// status says what is to be reported, and where; ok is false while nothing is.
	status  func() (s reconcile.Status, to spec.Report, ok bool)
	changed func() <-chan struct{} // closed when that may be another
	store   *reconcile.Store       // nil for none
	about   origin
	log     *slog.Logger
	pause   func(tries int) time.Duration // after so many failures

	// -- owned by run --
	last  told
	tries int
	said  map[string]string // what was logged of each that failed
}

// origin is the daemon that reports.
type origin struct {
	Identifier string `json:"identifier"`
	Hostname   string `json:"hostname"`
}

// statusReport is what is sent.
type statusReport struct {
	reconcile.Status
	origin
	Time time.Time `json:"time"` // when it was found to be so
}

// told is the last report, and who has got it.
type told struct {
	Report  *statusReport `json:"report"` // nil for none
	Command bool          `json:"command"`
	URL     bool          `json:"url"`
}

// reportItem is its name in the state directory.
const reportItem = "report"

// What a report may take.
const (
	commandLimit = 30 * time.Second
	postLimit    = 15 * time.Second
	maxAnswer    = 64 << 10 // bytes that are read of it
)

// What could not be delivered is tried again after a pause, which doubles from the one to
// the other.
const (
	reportAgain  = time.Second
	reportRarely = 5 * time.Minute
)

// reportPause is how long to wait after so many failures in a row.
func reportPause(tries int) time.Duration {
	return min(reportAgain<<min(max(tries-1, 0), 20), reportRarely)
}

// report runs the reporter of this life.
func (l *life) report(ctx context.Context) {
	hostname, _ := os.Hostname()
	r := &reporter{
		status: l.reconciler.Status, changed: l.reconciler.Changed, store: l.reconciler.Store(), log: l.logger,
		about: origin{l.cfg.Daemon.Identifier, hostname}, pause: reportPause,
	}
	r.run(ctx)
}

// run reports until the context ends.
func (r *reporter) run(ctx context.Context) {
	r.said = make(map[string]string)
	if r.store != nil {
		r.store.Load(reportItem, &r.last)
	}
	next := time.Now() // when to deliver; zero for never
	for {
		changed := r.changed() // beforehand: what changes from now on is not missed
		to, isNew := r.look()
		if now := time.Now(); isNew || !next.IsZero() && !now.Before(next) {
			next = r.deliver(ctx, now, to)
		}
		var again <-chan time.Time
		if !next.IsZero() {
			again = time.After(time.Until(next))
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// look finds what is to be reported, and where, and whether that is new.
func (r *reporter) look() (to spec.Report, isNew bool) {
	s, to, ok := r.status()
	if !ok || to.Command == "" && to.URL == "" || r.last.Report != nil && r.last.Report.Same(&s) {
		return to, false
	}
	r.last, r.tries = told{Report: &statusReport{s, r.about, time.Now()}}, 0
	r.keep()
	return to, true
}

// keep saves it, so that it outlives the daemon. State reports an error.
func (r *reporter) keep() {
	if r.store != nil {
		_ = r.store.Save(reportItem, &r.last, true)
	}
}

// deliver reports to those that have not got it yet. It returns when to try again, zero for
// never.
func (r *reporter) deliver(ctx context.Context, now time.Time, to spec.Report) (next time.Time) {
	if r.last.Report == nil {
		return next
	}
	body, err := json.Marshal(r.last.Report)
	if err != nil { // there is nothing in it that could not be
		r.log.Error("cannot encode a report: " + err.Error())
		return next
	}
	body = append(body, '\n')
	failed := false
	for _, one := range []struct {
		key  string
		to   string
		done *bool
		send func(context.Context, spec.Report, []byte) error
	}{
		{"report_command", to.Command, &r.last.Command, runReport},
		{"report_url", to.URL, &r.last.URL, postReport},
	} {
		if one.to == "" || *one.done {
			continue
		}
		err := one.send(ctx, to, body)
		if ctx.Err() != nil {
			return next
		}
		r.tell(one.key, err)
		*one.done = err == nil
		failed = failed || err != nil
	}
	r.keep()
	if !failed {
		return next
	}
	r.tries++
	return now.Add(r.pause(r.tries))
}

// tell logs the outcome of a delivery; a failure once for as long as it is the same.
func (r *reporter) tell(key string, err error) {
	if err == nil {
		delete(r.said, key)
		r.log.Info(fmt.Sprintf("reconcile: reported to %s: %s", key, r.last.Report.words()))
		return
	}
	if text := err.Error(); r.said[key] != text {
		r.said[key] = text
		r.log.Warn(fmt.Sprintf("reconcile: cannot report to %s, will try again: %s", key, text))
	}
}

// words are what it says in a few words.
func (r *statusReport) words() string {
	if r.Revision == "" {
		return r.State
	}
	return r.State + " of revision " + r.Revision
}

// runReport runs report_command with the report on its standard input.
func runReport(ctx context.Context, to spec.Report, body []byte) error {
	argv, err := value.Split(to.Command)
	if err != nil || len(argv) == 0 {
		return errors.New("cannot parse report_command")
	}
	if argv[0], err = launch.Resolve(argv[0], "", os.Getenv("PATH")); err != nil {
		return err
	}
	input, err := memoryFile("report")
	if err != nil {
		return err
	}
	if _, err = input.Write(body); err == nil {
		_, err = input.Seek(0, io.SeekStart)
	}
	if err != nil {
		input.Close()
		return err
	}
	limited, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	output, status, err := launch.RunOn(limited, input, nil, argv...)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not end within %v", argv[0], commandLimit)
	case err != nil:
		return err
	case status != 0:
		line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("%s: exit status %d%s", argv[0], status, inQuotes(line))
	}
	return nil
}

// inQuotes is the beginning of what a command said, if it did.
func inQuotes(line string) string {
	if line == "" {
		return ""
	}
	return fmt.Sprintf(": %.200q", line)
}

// postReport posts the report to report_url, signed if there is a key. No error has the URL
// in it, of which a part may be secret, beyond its host.
func postReport(ctx context.Context, to spec.Report, body []byte) error {
	limited, cancel := context.WithTimeout(ctx, postLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("cannot use report_url")
	}
	host := request.URL.Host
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "supervisord")
	if to.SecretFile != "" {
		key, err := readKey(to.SecretFile)
		if err != nil {
			return err
		}
		request.Header.Set("X-Signature", signature(key, body))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // they are rare
	client := http.Client{Transport: transport, CheckRedirect: sameHost}
	answer, err := client.Do(request)
	if err != nil {
		if wrapped, is := errors.AsType[*url.Error](err); is {
			err = wrapped.Err
		}
		return fmt.Errorf("%s: %w", host, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: HTTP status %d", host, answer.StatusCode)
	}
	return nil
}

// sameHost follows a redirect only to the same server, by the same scheme, and if the
// report is posted there.
func sameHost(request *http.Request, via []*http.Request) error {
	first := via[0].URL
	if request.Method != http.MethodPost || request.URL.Host != first.Host || request.URL.Scheme != first.Scheme || len(via) > 3 {
		return errors.New("it redirects elsewhere; redirects are not followed")
	}
	return nil
}

// readKey is the first line of a file.
func readKey(name string) ([]byte, error) {
	content, err := trust.ReadFile(name)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(content, []byte("\n"))
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil, fmt.Errorf("report_secret_file: the first line of %s is empty", name)
	}
	return line, nil
}

// signature is the value of X-Signature.
func signature(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
