package rpc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"supervisord/spec"
)

// TestRenewedCertificates: what servers show and whom they let in follows the files, as
// long as they go together; else what there was stays, and the reason stays the same.
func TestRenewedCertificates(t *testing.T) {
	dir, other := shortDir(t), t.TempDir()
	const week = 7 * 24 * time.Hour
	old := selfSignedFor(t, dir, 2*week)
	renewed := selfSignedFor(t, other, 3*week)
	o := newFakeDaemon(t, dir).options(dir)
	log := &activity{}
	o.Logger = log.logger(slog.LevelInfo)
	o.Servers = []spec.Server{{Section: "inet_http_server", Network: "tcp", Host: "127.0.0.1", CertFile: filepath.Join(dir, "cert.pem"),
		KeyFile: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem")}}
	put := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, to), data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, "cert.pem"), "ca.pem")
	s := serve(t, o)

	look := func(what, want string) {
		t.Helper()
		if got := fmt.Sprint(s.CheckCertificates(time.Now())); !strings.Contains(got, want) || want == "" && got != "[]" {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	shown := func(what string, want, own tls.Certificate, in bool) {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get("https://" + s.servers[0].listener.Addr().String() + "/metrics")
		if (err == nil) != in {
			t.Errorf("%s: let in: %v", what, err)
		}
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if !resp.TLS.PeerCertificates[0].Equal(want.Leaf) {
			t.Errorf("%s: another certificate is shown", what)
		}
		text, _ := io.ReadAll(resp.Body)
		if line := fmt.Sprintf("supervisord_certificate_expiry_time_seconds{section=\"inet_http_server\"} %d\n", want.Leaf.NotAfter.Unix()); !strings.Contains(string(text), line) {
			t.Errorf("%s: the metrics lack %s", what, line)
		}
	}
	look("at first", "")
	shown("at first", old, old, true)

	put(filepath.Join(other, "cert.pem"), "cert.pem")
	const mismatch = "cannot use certfile and keyfile of section [inet_http_server]: tls: private key does not match public key; the previous certificate stays in use"
	look("the certificate alone", mismatch)
	look("again", mismatch)
	shown("the certificate alone", old, old, true)
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	look("without a key", "no such file or directory; the previous certificate stays in use")
	shown("without a key", old, old, true)
	put(filepath.Join(other, "key.pem"), "key.pem")
	look("both", "")
	shown("both", renewed, old, true)
	put(filepath.Join(other, "cert.pem"), "ca.pem")
	look("another authority", "")
	shown("another authority", renewed, old, false)
	shown("another authority", renewed, renewed, true)
	put("/dev/null", "ca.pem")
	look("no authority", "contains no certificate; the previous certificate stays in use")
	shown("no authority", renewed, renewed, true)
	put(filepath.Join(other, "cert.pem"), "ca.pem")
	look("the authority again", "")

	text := "new certificates of section [inet_http_server] are in use; " + filepath.Join(dir, "cert.pem") + " expires at " +
		renewed.Leaf.NotAfter.UTC().Format(time.RFC3339)
	if n := strings.Count(strings.Join(log.lines, "\n"), text); n != 2 {
		t.Errorf("said %d times, want 2: %s", n, text)
	}
}

// TestExpiry: a certificate that expires within a week is told of in words that change
// once a day.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	leaf := selfSignedFor(t, dir, time.Hour).Leaf
	c, err := openCertificates(spec.Server{Section: "s", CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	for _, row := range []struct {
		left time.Duration
		want string // "" for nothing
	}{
		{30 * day, ""},
		{7 * day, ""},
		{7*day - 1, "expires in 6 days"},
		{6 * day, "expires in 6 days"},
		{6*day - 1, "expires in 5 days"},
		{day, "expires in a day"},
		{day - 1, "expires within a day"},
		{0, "expired 0 days ago"},
		{-3 * day, "expired 3 days ago"},
	} {
		got := c.expiring(leaf.NotAfter.Add(-row.left))
		want := fmt.Sprintf("the certificate of section [s] %s, at %s: %s", row.want, leaf.NotAfter.UTC().Format(time.RFC3339), filepath.Join(dir, "cert.pem"))
		if row.want == "" && got != nil || row.want != "" && (got == nil || got.Error() != want) {
			t.Errorf("%v before: %v, want %q", row.left, got, row.want)
		}
	}
}
