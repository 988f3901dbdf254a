package cmd

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// manyFiles is a directory with n program files in conf.d, away from where all
// tests make theirs: the daemon would be told of each. text is a file's content
// from its program's name.
func manyFiles(t testing.TB, n int, text func(name string) string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "many")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("p%05d", i)
		if err := os.WriteFile(filepath.Join(dir, "conf.d", name+".ini"), []byte(text(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// idler is a program that runs and does nothing.
func idler(name string) string {
	return "[program:" + name + "]\ncommand=/bin/sleep 100000\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
}

// signals makes the pipe "fifo" in the daemon's directory. What it returns waits
// for so many lines in it.
func signals(t testing.TB, d *oracle.Daemon) (lines func(n int)) {
	t.Helper()
	fifo := filepath.Join(d.Dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0) // with a writer, so that it never ends
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close() })
	in := bufio.NewReader(pipe)
	return func(n int) {
		t.Helper()
		for range n {
			if _, err := in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// benchSettle is what the benchmarks take off.
const benchSettle = 300 * time.Millisecond

// BenchmarkDropIn is the way from the rename of a new file into place to the first
// thing that its process does, settle taken off, beside 1,000 files whose programs
// run. The process is a shell that writes to a pipe, so its own start is in it.
func BenchmarkDropIn(b *testing.B) {
	const n = 1000
	d := oracle.StartDaemon(b, oracle.Ours, manyFiles(b, n, idler), watched)
	oracle.WaitFor(b, "all run", func() bool { return len(runningPIDs(b, d)) == n })
	oracle.WaitFor(b, "all RUNNING", func() bool { return strings.Count(d.Log(), "entered RUNNING") == n })

	lines := signals(b, d)
	var took []time.Duration
	for b.Loop() {
		name := fmt.Sprintf("n%05d", len(took))
		fresh := filepath.Join(d.Dir, "fresh")
		text := fmt.Sprintf("[program:%s]\ncommand=/bin/sh -c 'echo >%s/fifo; exec sleep 100000'\n", name, d.Dir)
		if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		if err := os.Rename(fresh, filepath.Join(d.Dir, "conf.d", name+".ini")); err != nil {
			b.Fatal(err)
		}
		lines(1)
		took = append(took, time.Since(begun)-benchSettle)
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBurst drops 500 files at once: they are one update, and to have all
// their processes costs what starting 500 processes costs. That is measured beside
// it, with a call that starts the same ones once they are stopped.
func BenchmarkBurst(b *testing.B) {
	const n = 500
	for b.Loop() {
		dir, err := os.MkdirTemp("/var/tmp", "burst")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		d := oracle.StartDaemon(b, oracle.Ours, dir, watched)
		d.Write("conf.d/.keep", "")
		lines := signals(b, d)
		text := "command=/bin/sh -c 'echo >" + filepath.Join(d.Dir, "fifo") + "; exec sleep 100000'\nstdout_logfile=NONE\nstderr_logfile=NONE\nstartsecs=0\n"
		for i := range n {
			d.Write(fmt.Sprintf("fresh/p%03d.ini", i), fmt.Sprintf("[program:p%03d]\n%s", i, text))
		}
		for i := range n {
			if err := os.Rename(filepath.Join(d.Dir, fmt.Sprintf("fresh/p%03d.ini", i)), filepath.Join(d.Dir, fmt.Sprintf("conf.d/p%03d.ini", i))); err != nil {
				b.Fatal(err)
			}
		}
		begun := time.Now().Add(benchSettle)
		lines(n)
		burst := time.Since(begun)
		oracle.WaitFor(b, "the update is told", func() bool { return len(history(b, d)) == 2 }) // the first is the start

		if _, err := d.Call("supervisor.stopAllProcesses"); err != nil {
			b.Fatal(err)
		}
		begun = time.Now()
		if _, err := d.Call("supervisor.startAllProcesses", false); err != nil {
			b.Fatal(err)
		}
		lines(n)
		start := time.Since(begun)
		b.ReportMetric(float64(burst.Milliseconds()), "burst-ms")
		b.ReportMetric(float64(start.Milliseconds()), "start-ms")
		b.ReportMetric(float64(burst)/float64(start), "burst/start")
		d.Stop()
	}
}

// BenchmarkIdle has 10,000 watched files and nothing to do: what the daemon uses
// between rescans, and what one rescan costs it.
func BenchmarkIdle(b *testing.B) {
	const n = 10_000
	text := func(name string) string { return idler(name) + "autostart=false\n" }
	for b.Loop() {
		cpu := func(rescan string, d time.Duration) (used time.Duration) {
			daemon := oracle.StartDaemon(b, oracle.Ours, manyFiles(b, n, text), watched+"rescan="+rescan+"\n")
			oracle.WaitFor(b, "the first update", func() bool { return len(history(b, daemon)) > 0 })
			time.Sleep(3 * time.Second) // it has just read them all
			before := cpuTime(b, daemon.PID())
			time.Sleep(d)
			used = cpuTime(b, daemon.PID()) - before
			daemon.Stop()
			return used
		}
		idle, busy := cpu("0", 10*time.Second), cpu("1s", 10*time.Second)
		b.ReportMetric(float64(idle.Microseconds())/1000/10, "idle-ms/s")
		b.ReportMetric(float64((busy-idle).Microseconds())/1000/10, "rescan-ms")
	}
}
