package reconcile

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"supervisord/spec"
)

// stamped is a machine that can tell whether a file may have changed, as the
// daemon's own can.
type stamped struct{ testHost }

func (stamped) Stamp(path string) (spec.Stamp, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return spec.Stamp{}, false
	}
	st := info.Sys().(*syscall.Stat_t)
	return spec.Stamp{Dev: uint64(st.Dev), Ino: st.Ino, Size: info.Size(), MTime: info.ModTime().UnixNano()}, true
}

// BenchmarkPlan compares 1,000 groups, one of which differs.
func BenchmarkPlan(b *testing.B) {
	m := newModel()
	var old, new []spec.Group
	for i := range 1000 {
		old = append(old, program(fmt.Sprintf("p%03d", i)))
		new = append(new, program(fmt.Sprintf("p%03d", i)))
	}
	new[500] = program("p500", command("/n"))
	m.update(old, Policy{})
	active := m.Groups()
	b.ReportAllocs()
	for b.Loop() {
		if steps := Plan(active, new, Policy{}); len(steps) != 1 {
			b.Fatal(steps)
		}
	}
}

// BenchmarkLook is everything between a hint and the plan: reading 1,000 and
// 10,000 files one of which changed.
func BenchmarkLook(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newFixture(b, "", nil)
			for i := range n {
				path := fmt.Sprintf("%s/conf.d/p%05d.ini", w.root, i)
				if err := os.WriteFile(path, []byte(ini(fmt.Sprintf("p%05d", i))), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			start := &Start{reader: newReader(stamped{w.host}, w.root+"/main.conf", spec.Options{})}
			start.read(newContents(nil))
			v := start.view
			if v.err != nil {
				b.Fatal(v.err)
			}
			m := newModel()
			m.update(v.config.Groups, Policy{})
			g := newGuard()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				i++
				w.write("conf.d/p00000.ini", ini("p00000", fmt.Sprintf("command=/bin/n%d", i)))
				b.StartTimer()
				v = start.reader.look(nil, question{good: v.good, dirs: v.dirs, settings: v.settings, inForce: v.config})
				g.observe(time.Now(), v.config)
				if steps := Plan(m.Groups(), v.config.Groups, Policy{}); len(steps) != 1 {
					b.Fatal(steps)
				}
			}
		})
	}
}

// BenchmarkDropIn is the way from the rename of a new file into place to its
// start, settle taken off, beside 1,000 other files.
func BenchmarkDropIn(b *testing.B) {
	w := newFixture(b, "", programs(1000))
	w.seen = stamped{w.host}
	w.start()
	const settle = 20 * time.Millisecond
	var over, worst time.Duration
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		name := fmt.Sprintf("n%d", i)
		at := time.Now()
		w.write("conf.d/"+name+".ini", ini(name))
		for w.table.pidOf(name, name) == 0 {
			time.Sleep(200 * time.Microsecond)
		}
		d := time.Since(at) - settle
		over += d
		worst = max(worst, d)
	}
	b.ReportMetric(float64(over.Microseconds())/float64(b.N)/1000, "ms/start")
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms/worst")
}

// BenchmarkApply carries out a plan that adds 500 groups.
func BenchmarkApply(b *testing.B) {
	var groups []spec.Group
	for i := range 500 {
		groups = append(groups, program(fmt.Sprintf("p%03d", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		m := newModel()
		execute(context.Background(), m, Plan(nil, groups, Policy{}), never, nil)
	}
}
