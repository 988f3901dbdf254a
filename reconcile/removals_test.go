package reconcile

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/reconcile/watch"
	"supervisord/spec"
)

// TestDeletedOneByOne: deleting files from a directory that stands is a removal.
func TestDeletedOneByOne(t *testing.T) {
	t.Parallel()
	w := newFixture(t, quick+"max_removals=100%\n", programs(4)).start()
	w.sh("rm conf.d/p00.ini; rm conf.d/p01.ini; rm conf.d/p02.ini; rm conf.d/p03.ini")
	w.becomes("")
	w.phase(Synced)
}

// TestMaxRemovals: an update that would remove too much is held for a person.
func TestMaxRemovals(t *testing.T) {
	t.Parallel()
	rows := []struct {
		setting string
		n, gone int
		held    bool
	}{
		{"", 8, 5, true},
		{"", 8, 4, false}, // half, not more
		{"", 4, 4, true},
		{"", 2, 2, true},
		{"", 2, 1, false},
		{"", 1, 1, false}, // one may always go
		{"max_removals=100%\n", 8, 8, false},
		{"max_removals=10%\n", 20, 2, false},
		{"max_removals=10%\n", 20, 3, true},
		{"max_removals=2\n", 8, 3, true},
		{"max_removals=2\n", 8, 2, false},
		{"max_removals=0\n", 2, 1, true},
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s %d of %d", strings.Trim(r.setting, "%\n"), r.gone, r.n), func(t *testing.T) {
			t.Parallel()
			w := newFixture(t, "rescan=0\n"+r.setting, programs(r.n)).start()
			all := w.groups()
			w.sh(fmt.Sprintf("mv $(ls conf.d/*.ini | head -n %d) .", r.gone))
			if !r.held {
				w.eventually("the groups are gone", func() bool { return len(w.table.Groups()) == r.n-r.gone })
				w.phase(Synced)
				return
			}
			if reason := w.phase(Held); !strings.Contains(reason, "max_removals") {
				t.Errorf("reason: %q", reason)
			}
			// Other files go ahead.
			w.write("conf.d/x.ini", ini("x"))
			w.becomes(all + ", x")
			if f := w.file("conf.d/x.ini"); f.State != FileApplied {
				t.Errorf("the new file: %+v", f)
			}
			if f := w.file("conf.d/p00.ini"); f.State != FileHeld || !strings.Contains(f.Reason, "max_removals") {
				t.Errorf("a file that is gone: %+v", f)
			}
			w.sh("mv p*.ini conf.d")
			w.becomes(all + ", x")
			w.phase(Synced)
			w.sh("mv conf.d/*.ini .")
			w.phase(Held)
			if report, err := w.rec.Apply(context.Background(), nil, ""); err != nil || !report.OK {
				t.Fatalf("%+v, %v", report, err)
			}
			w.becomes("")
			w.phase(Synced)
		})
	}
}

// TestExceeds: a share is one of groups or of processes, from two groups on.
func TestExceeds(t *testing.T) {
	half := spec.Removals{N: 50, Percent: true}
	for _, r := range []struct {
		n, of share
		limit spec.Removals
		want  bool
	}{
		{share{1, 200}, share{4, 203}, half, false}, // one program, however large
		{share{2, 200}, share{8, 206}, half, true},  // few groups, most processes
		{share{2, 3}, share{8, 206}, half, false},
		{share{5, 5}, share{8, 206}, half, true}, // most groups, few processes
		{share{4, 103}, share{8, 206}, half, false},
		{share{4, 104}, share{8, 206}, half, true},
		{share{2, 2}, share{2, 2}, spec.Removals{N: 100, Percent: true}, false},
		{share{2, 2}, share{100, 100}, spec.Removals{N: 1, Percent: true}, true},
		{share{2, 200}, share{8, 206}, spec.Removals{N: 2}, false}, // a number is of groups
		{share{3, 3}, share{8, 206}, spec.Removals{N: 2}, true},
		{share{1, 1}, share{8, 206}, spec.Removals{N: 0}, true},
	} {
		if got := exceeds(r.n, r.of, r.limit); got != r.want {
			t.Errorf("%+v of %+v with max_removals=%s: held %v, want %v", r.n, r.of, removalsText(r.limit), got, r.want)
		}
	}
}

// TestSlowRemovals: files that are deleted one after the other count together, for
// a minute; what is held stays so however long it takes.
func TestSlowRemovals(t *testing.T) {
	const n = 8
	inBubble(t, "rescan=0\n", programs(n), func(w *fixture, hint *fakeWatcher) {
		look := func(sh string) {
			w.sh(sh)
			hint.hints <- watch.Hint{Trigger: TriggerWatch}
			synctest.Wait()
		}
		left := func(want int) {
			t.Helper()
			if got := len(w.table.Groups()); got != want {
				t.Fatalf("%d groups, want %d: %+v", got, want, w.rec.State())
			}
		}
		for i := range 4 {
			look(fmt.Sprintf("mv conf.d/p%02d.ini .", i))
			left(n - 1 - i)
			time.Sleep(5 * time.Second)
		}
		look("mv conf.d/p04.ini .")
		left(n - 4)
		if s := w.rec.State(); s.Phase != Held || !strings.Contains(s.Reason, "would remove 1 of 4 active groups, after 4 within a minute") {
			t.Errorf("%+v", s)
		}
		time.Sleep(10 * time.Minute)
		look("touch conf.d/p07.ini")
		left(n - 4)
		look("mv p00.ini p01.ini conf.d") // of eight, three are gone now
		left(n - 3)
		if s := w.rec.State(); s.Phase != Synced {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Minute)
		look("mv conf.d/p05.ini .")
		left(n - 4)
	})
}

// TestTreeNeverQuiet: a file that is written without a pause keeps what it said in
// force, or is nothing yet, while the others go ahead. Nothing is removed from a
// tree that is not quiet.
func TestTreeNeverQuiet(t *testing.T) {
	t.Parallel()
	// The settle time is longer than a busy machine keeps the writer from its work.
	w := newFixture(t, "rescan=0\nsettle=700ms\n", map[string]string{
		"real/a.ini": ini("a"), "real/b.ini": ini("b"), "real/c.ini": ini("c"),
	})
	w.sh("rmdir conf.d; ln -s real conf.d")
	w.start()
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			for _, name := range []string{"a", "new"} {
				os.WriteFile(w.root+"/real/"+name+".ini", []byte(ini(name, fmt.Sprintf("command=/bin/%d", i))), 0o644)
			}
			select {
			case <-stop:
				os.WriteFile(w.root+"/real/a.ini", []byte(ini("a", "command=/bin/last")), 0o644)
				return
			case <-time.After(4 * time.Millisecond):
			}
		}
	})
	w.write("real/b.ini", ini("b", "command=/bin/n"))
	w.write("real/d.ini", ini("d"))
	w.sh("rm real/c.ini")
	w.becomes("a, b=n, c, d")
	w.eventually("the files are held", func() bool {
		return w.file("conf.d/a.ini").State == FileHeld && w.file("conf.d/new.ini").State == FileHeld && w.rec.State().Phase == Held
	})
	if holds := w.holds(); !strings.Contains(holds, "a.ini is still being written to: what it said") || !strings.Contains(holds, "still changing") {
		t.Errorf("holds: %v", holds)
	}
	close(stop)
	writer.Wait()
	w.eventually("all is as it was written last", func() bool { return strings.HasPrefix(w.groups(), "a=last, b=n, d, new=") })
	w.phase(Synced)
}
