package spec

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/bound"
)

// FuzzLoad loads a main file and one that it includes, of any content. Whatever
// is in them, the cache makes no difference, every mistake has a place in a file
// and is said in one line, and of a bad included file the rest stands for itself.
func FuzzLoad(f *testing.F) {
	for i, piece := range pieces {
		f.Add("[supervisord]\n[include]\nfiles=*.ini\n"+piece, pieces[(i*5+3)%len(pieces)]+pieces[(i*7+1)%len(pieces)])
	}
	f.Add("[supervisord]\nuser=a\n b\x1b[1m\n", "[group:\x07]\nprograms=b\n c")
	f.Add("[supervisord]\n[rpcinterface:supervisor]\nx", "[include]\nfiles=*\n[group:a]\nprograms=a,,a,b\n[fcgi-program:b]\nsocket=tcp://h:1\ncommand=x\n")
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, main, part string) {
		defer b.Input(t)()
		if strings.Contains(main+part, "numprocs") {
			return // many processes take their time
		}
		h := &memHost{cwd: "/", strict: true, files: map[string]string{"/etc/sv.conf": main, "/etc/a.ini": part}}
		o := Options{Cache: &Cache{}}
		fresh, freshErr := Load(h, "/etc/sv.conf", Options{})
		for range 2 {
			cached, cachedErr := Load(h, "/etc/sv.conf", o)
			if !cmp.Equal(fresh, cached, said) || !cmp.Equal(reports(freshErr), reports(cachedErr)) {
				t.Fatalf("the cache makes a difference: %s %s", cmp.Diff(fresh, cached, said), cmp.Diff(reports(freshErr), reports(cachedErr)))
			}
		}
		if fresh != nil {
			if groups := fresh.Groups; !Diff(groups, groups).Empty() {
				t.Fatal("groups differ from themselves")
			}
			Normal(fresh, false)
			checkPlaces(t, h, fresh.Advice)
		}
		var failed *LoadError
		if errors.As(freshErr, &failed) {
			checkPlaces(t, h, failed.All())
			checkPlaces(t, h, failed.Advice())
		}
		checkIsolated(t, h, freshErr)
	})
}

// checkPlaces demands that each mistake names a line that there is, and is told in
// one line.
func checkPlaces(t *testing.T, h *memHost, errs []*Error) {
	t.Helper()
	for _, e := range errs {
		lines := strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(h.files[e.File]), "\n") + 1
		if e.File == "" || e.Line > lines || e.Text == "" || strings.ContainsFunc(e.Report(), unicode.IsControl) {
			t.Errorf("line %d of %q, which has %d: %q", e.Line, e.File, lines, e.Report())
		}
	}
}

// checkIsolated demands that without the included file the main one stands or
// falls by itself.
func checkIsolated(t *testing.T, h *memHost, err error) {
	t.Helper()
	cfg, bad, isolatedErr := LoadIsolated(h, "/etc/sv.conf", Options{}, Earlier{})
	switch {
	case (cfg == nil) != (isolatedErr != nil):
		t.Fatalf("configuration %v and error %v", cfg, isolatedErr)
	case err == nil && (isolatedErr != nil || len(bad) > 0):
		t.Fatalf("good files are refused: %v %v", bad, isolatedErr)
	case err != nil && isolatedErr == nil && len(bad) == 0:
		t.Fatalf("a mistake is lost: %v", err)
	}
}
