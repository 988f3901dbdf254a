package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/mainlog"
	"supervisord/runtime/trust"
)

// TestHelpersAreLeft: what does not end costs its share of the time once, all of it
// together, and is named; a second signal makes it less.
func TestHelpersAreLeft(t *testing.T) {
	for _, hurried := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var h helpers
			stuck, hurry := make(chan struct{}), make(chan struct{})
			defer close(stuck)
			h.Go("quick", func() {})
			h.Go("stuck", func() { <-stuck })
			h.Go("slow", func() { time.Sleep(1100 * time.Millisecond) })
			h.Go("stuck too", func() { <-stuck })
			want := 10 * time.Second
			if hurried > 0 {
				time.AfterFunc(hurried, func() { close(hurry) })
				want = hurried + 200*time.Millisecond
			}
			begun := time.Now()
			left := h.wait("", 10*time.Second, 200*time.Millisecond, hurry)
			if took := time.Since(begun); took != want || !slices.Equal(left, []string{"stuck", "stuck too"}) {
				t.Errorf("after %v, want %v: left are %q", took, want, left)
			}
		})
	}
}

// TestLastWords: a panic of what the daemon cannot do without is in the activity log
// when it goes on, and goes on.
func TestLastWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := mainlog.Open(mainlog.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	l := newLife(func() {})
	l.log, l.logger = log, log.Logger()
	func() {
		defer func() {
			if p := recover(); p != "a defect" {
				t.Errorf("the panic goes on with %v", p)
			}
		}()
		defer l.lastWords("the supervisor")
		panic("a defect")
	}()
	text, err := os.ReadFile(path)
	if want := "CRIT the supervisor panicked, and supervisord exits: a defect\n"; err != nil || !strings.Contains(string(text), want) ||
		!strings.Contains(string(text), "end_test.go") {
		t.Errorf("%v; the log says:\n%s", err, text)
	}
}

// TestTroubleIsSaidOnce: what is in the way of a file is said once for as long as it
// is the same, and again when it comes back.
func TestTroubleIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	l := newLife(func() {})
	l.logger = slog.New(slog.NewTextHandler(&log, nil))
	var said map[string]bool
	for _, troubles := range []string{"a", "a", "", "", "a", "b", "ab", "bb", "a"} {
		var errs []error
		for _, text := range troubles {
			errs = append(errs, errors.New(string(text)))
		}
		said = l.sayOnce(look{level: levelError, says: "cannot make it anew: "}, said, errs)
	}
	var got string
	for line := range strings.Lines(log.String()) {
		got += regexp.MustCompile(`level=ERROR msg="cannot make it anew: (.)"`).FindStringSubmatch(line)[1]
	}
	if want := "aabaa"; got != want {
		t.Errorf("said %q, want %q:\n%s", got, want, &log)
	}
}

// TestCrashFile: an earlier crash is kept aside and told once; an empty file is none.
func TestCrashFile(t *testing.T) {
	dir := t.TempDir()
	defer debug.SetCrashOutput(nil, debug.CrashOptions{})
	tell := func() string {
		earlier, why, err := catchCrashes(trust.Dir{Path: dir, UID: os.Geteuid()})
		if err != nil || (why != "") != (earlier != "") {
			t.Fatal(why, err)
		}
		return earlier
	}
	if got := tell(); got != "" {
		t.Errorf("at first: %s", got)
	}
	if got := tell(); got != "" {
		t.Errorf("after an ordered end: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, crashFile), []byte("panic: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	earlier := tell()
	if text, err := os.ReadFile(earlier); err != nil || string(text) != "panic: x\n" {
		t.Errorf("%s: %q, %v", earlier, text, err)
	}
	if got := tell(); got != "" {
		t.Errorf("told again: %s", got)
	}
}

// TestFirstWords: of a trace the log repeats the reason and the first goroutine.
func TestFirstWords(t *testing.T) {
	long := strings.Repeat("x", 2*lastWordsLimit)
	for trace, want := range map[string]string{
		"panic: x\n\ngoroutine 1 [running]:\na()\n\ngoroutine 2 [select]:\nb()\n":                "panic: x\n\ngoroutine 1 [running]:\na()",
		"fatal error: y\n\nruntime stack:\nr()\n\ngoroutine 1 [running]:\na()\n\ngoroutine 2:\n": "fatal error: y\n\nruntime stack:\nr()\n\ngoroutine 1 [running]:\na()",
		"cut": "cut", long: long[:lastWordsLimit],
	} {
		if got := firstWords(trace); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
