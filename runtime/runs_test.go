package runtime

import (
	"testing"
	"time"

	"supervisord/runtime/state"
	"supervisord/spec"
)

// TestRuns: each life of a process is told with its times and its end, and how often it
// began again of late.
func TestRuns(t *testing.T) {
	inBubble(t, func(b *bench) {
		begun := time.Now()
		b.after(2 * time.Second)
		b.expect("web", state.Running)
		b.kernel.exit("web", 3)
		b.after(10 * time.Second)
		b.expect("web", state.Running)
		if _, err := b.sup.Stop(background, one("web"), true); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		i := b.info("web")
		if len(i.Runs) != 2 {
			t.Fatalf("%d runs: %+v", len(i.Runs), i.Runs)
		}
		first, second := i.Runs[0], i.Runs[1]
		if first.PID == 0 || !first.Start.Equal(begun) || first.Running.Sub(begun) != time.Second ||
			first.End.Sub(begun) != 2*time.Second || first.How != "exit status 3" || first.Status != 3 || first.Asked {
			t.Errorf("the first: %+v", first)
		}
		if second.PID == first.PID || second.Start.Before(first.End) || second.End.Sub(begun) != 12*time.Second ||
			second.How != "terminated by SIGTERM" || second.Status != -1 || !second.Asked {
			t.Errorf("the second: %+v", second)
		}
		if took, ok := i.ReadyAfter(); took != time.Second || !ok {
			t.Errorf("it is ready after %v %v", took, ok)
		}
		if n := i.FailuresWithin(time.Hour); n != 1 {
			t.Errorf("%d failures in an hour", n)
		}
		if n, none := i.StartsWithin(time.Hour), i.StartsWithin(time.Second); n != 1 || none != 0 {
			t.Errorf("%d starts in an hour, %d in a second", n, none)
		}
	}, program("web", func(p *spec.Process) { p.Autorestart = spec.RestartAlways }))
}

// TestRunsAreBounded: what is kept is the last of it, and what was given out stays as it is.
func TestRunsAreBounded(t *testing.T) {
	var all runs
	for pid := 1; pid <= 3*MaxRuns; pid++ {
		all.begin(Run{PID: pid})
		before := all
		all.change(func(one *Run) { one.End = time.Unix(int64(pid), 0) })
		if last := before[len(before)-1]; !last.End.IsZero() {
			t.Fatalf("what was given out has changed: %+v", last)
		}
	}
	if len(all) != MaxRuns || cap(all) > 2*MaxRuns || all[0].PID != 2*MaxRuns+1 || all[MaxRuns-1].PID != 3*MaxRuns {
		t.Errorf("%d runs, from %d to %d", len(all), all[0].PID, all[len(all)-1].PID)
	}
	all.change(func(one *Run) { t.Errorf("the end of %d was told twice", one.PID) })
}

// TestRunsAreHandedOver: the history goes on in the next life.
func TestRunsAreHandedOver(t *testing.T) {
	l := live(t, program("web", func(p *spec.Process) { p.Command, p.StartSecs, p.Autostart = "/bin/sleep 1000", 0, false }))
	if _, err := l.sup.Start(background, one("web"), true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.sup.Stop(background, one("web"), true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.sup.Start(background, one("web"), true); err != nil {
		t.Fatal(err)
	}
	runs := func() []Run {
		i, err := l.sup.Info(background, "web", "web")
		if err != nil || len(i.Runs) != 2 {
			t.Fatalf("%v, %+v", err, i.Runs)
		}
		return i.Runs
	}
	before := runs()
	l.handOver()
	for i, after := range runs() {
		b := before[i]
		if b.PID != after.PID || !b.Start.Equal(after.Start) || !b.Running.Equal(after.Running) || !b.End.Equal(after.End) || b.How != after.How || b.Asked != after.Asked {
			t.Errorf("%+v became %+v", b, after)
		}
	}
	if _, err := l.sup.Stop(background, one("web"), true); err != nil {
		t.Fatal(err)
	}
	if last := runs()[1]; last.End.IsZero() || !last.Asked {
		t.Errorf("its end is not told: %+v", last)
	}
}
