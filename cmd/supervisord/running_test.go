package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime"
	"supervisord/runtime/bound"
	"supervisord/runtime/launch"
	"supervisord/spec"
)

// keepTable opens the table of a directory and writes it until the returned
// function is called, which leaves it as a shutdown does.
func keepTable(t *testing.T, dir string, log *slog.Logger) (*runningTable, []runtime.Survivor, func()) {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	table := newRunningTable(dir, log)
	survivors, err := table.open()
	if err != nil {
		t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with done
		table.run(done)
		close(ended)
	}()
	return table, survivors, func() { close(done); <-ended }
}

// began is the change of a process of group g that has begun.
func began(name string, pid int) runtime.RunChange {
	return runtime.RunChange{
		Group: "g", Name: name, PID: pid, Runs: true, StartTime: uint64(pid) * 2, Started: time.Unix(int64(pid), 0).UTC(),
		Def: &spec.Process{Name: name, Command: "x", StopSignal: 15, StopWaitSecs: 7, KillMode: spec.KillGroup},
	}
}

// names lists survivors by name and pid.
func names(list []runtime.Survivor) []string {
	var all []string
	for _, v := range list {
		all = append(all, fmt.Sprint(v.Name, " ", v.PID))
	}
	slices.Sort(all)
	return all
}

// reread is what a later daemon finds in a directory.
func reread(t *testing.T, dir string) []runtime.Survivor {
	t.Helper()
	survivors, err := newRunningTable(dir, slog.New(slog.DiscardHandler)).open()
	if err != nil {
		t.Fatal(err)
	}
	return survivors
}

// A later daemon finds what began and has not ended, with all that it needs.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	table, survivors, leave := keepTable(t, dir, nil)
	if len(survivors) > 0 {
		t.Errorf("at first there were %v", survivors)
	}
	for i, name := range []string{"a", "b", "c", "d"} {
		table.changed(began(name, 10+i))
	}
	table.changed(runtime.RunChange{Group: "g", Name: "b", PID: 11})
	table.changed(began("c", 22)) // in the place of 12,
	table.changed(runtime.RunChange{Group: "g", Name: "c", PID: 12})
	table.announce(began("a", 0)) // and one that never came about
	leave()
	found := reread(t, dir)
	if diff := cmp.Diff([]string{"a 10", "c 22", "d 13"}, names(found)); diff != "" {
		t.Error(diff)
	}
	i := slices.IndexFunc(found, func(v runtime.Survivor) bool { return v.Name == "d" })
	boot, _ := launch.BootID()
	hash := began("d", 13).Def.ExecHash()
	user := os.Geteuid()
	want := runtime.Survivor{
		User: &user, Group: "g", Name: "d", PID: 13, Start: 26, Boot: boot, Started: time.Unix(13, 0).UTC(), Hash: fmt.Sprintf("%x", hash),
		StopSignal: 15, StopWaitSecs: 7, StopAsGroup: true, KillAsGroup: true,
	}
	if diff := cmp.Diff(want, found[i]); diff != "" {
		t.Error(diff)
	}
}

// A program that goes on as the daemon begins the table with what it was handed, whatever
// the file says, and leaves another daemon's alone.
func TestTableGoesOn(t *testing.T) {
	dir := t.TempDir()
	table, _, leave := keepTable(t, dir, nil)
	table.changed(began("a", 10))
	table.announce(began("c", 0))
	leave()
	path, done := filepath.Join(dir, tableFile), make(chan struct{})
	close(done)
	goOn := func(changes ...runtime.RunChange) string {
		next := newRunningTable(dir, slog.New(slog.DiscardHandler))
		next.goesOn = true
		for _, c := range changes {
			next.changed(c)
		}
		next.run(done)
		text, _ := os.ReadFile(path)
		return string(text)
	}
	text := goOn(began("a", 10), began("b", 11), began("d", 12), runtime.RunChange{Group: "g", Name: "b", PID: 11})
	if diff := cmp.Diff([]string{"a 10", "d 12"}, names(reread(t, dir))); diff != "" || strings.Contains(text, "begins") {
		t.Errorf("%s\n%s", diff, text)
	}
	if text := goOn(); text != "" {
		t.Errorf("nothing runs, and there is %s", text)
	}
	parent, err := launch.Identify(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	others := string(appendLine(nil, line{Daemon: &parent}))
	if err := os.WriteFile(path, []byte(others), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := goOn(began("a", 10)); text != others {
		t.Errorf("another daemon's file has become %s", text)
	}
}

// After an orderly end there is no file.
func TestTableOfNothing(t *testing.T) {
	dir := t.TempDir()
	table, _, leave := keepTable(t, dir, nil)
	table.changed(began("a", 10))
	table.changed(runtime.RunChange{Group: "g", Name: "a", PID: 10})
	leave()
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("there still is %v", files)
	}
}

// Whatever a crash leaves of the file, its whole lines count and nothing fails.
func TestTornTable(t *testing.T) {
	dir := t.TempDir()
	table, _, leave := keepTable(t, dir, nil)
	for i := range 3 {
		table.changed(began(fmt.Sprint("p", i), 10+i))
	}
	leave()
	path := filepath.Join(dir, "running.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := len(reread(t, dir)), max(0, bytes.Count(whole[:n], []byte("\n"))-1); got != want {
			t.Fatalf("of %d bytes: %d survivors, want %d", n, got, want)
		}
	}
	for _, garbage := range []string{"null\n", "[]\n{}\n", strings.Repeat("\xff\n", 100), `{"runs":{"pid":"x"}}` + "\n"} {
		if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reread(t, dir); len(got) > 0 {
			t.Errorf("%q gave %v", garbage, got)
		}
	}
}

// Of an earlier boot nobody is left.
func TestTableOfAnotherBoot(t *testing.T) {
	dir := t.TempDir()
	table, _, leave := keepTable(t, dir, nil)
	table.changed(began("a", 10))
	leave()
	path := filepath.Join(dir, "running.json")
	text, _ := os.ReadFile(path)
	boot, _ := launch.BootID()
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(boot), []byte("another")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := reread(t, dir); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

// The table of a daemon that lives is nobody else's to read or write.
func TestTableOfAnotherDaemon(t *testing.T) {
	dir := t.TempDir()
	parent, err := launch.Identify(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "running.json")
	text := appendLine(nil, line{Daemon: &parent})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	table := newRunningTable(dir, slog.New(slog.DiscardHandler))
	if got, err := table.open(); !errors.Is(err, errOtherDaemon) || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
	table.changed(began("a", 10))
	table.announce(began("b", 11))
	table.write()
	table.close()
	if now, _ := os.ReadFile(path); !bytes.Equal(now, text) {
		t.Errorf("the file was changed to %s", now)
	}
}

// The file stays short, however much happens.
func TestTableStaysShort(t *testing.T) {
	dir := t.TempDir()
	table, _, leave := keepTable(t, dir, nil)
	largest := int64(0)
	for i := range 5_000 {
		table.announce(began("a", i+1))
		table.changed(began("a", i+1))
		table.changed(runtime.RunChange{Group: "g", Name: "a", PID: i + 1})
		if info, err := os.Stat(filepath.Join(dir, "running.json")); err == nil {
			largest = max(largest, info.Size())
		}
	}
	table.changed(began("a", 1<<20))
	leave()
	if largest > 1<<20 {
		t.Errorf("it grew to %d bytes", largest)
	}
	if got := names(reread(t, dir)); !slices.Equal(got, []string{"a 1048576"}) {
		t.Errorf("got %v", got)
	}
}

// A directory that cannot be written is said once, and nothing waits for it; when
// it can be written again the table is whole.
func TestTableWithoutADisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	var log bytes.Buffer
	table, _, leave := keepTable(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
	begun := time.Now()
	for i := range 100 {
		table.announce(began(fmt.Sprint("p", i), 10+i))
		table.changed(began(fmt.Sprint("p", i), 10+i))
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("starts waited %v", took)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	table.announce(began("last", 9))
	leave()
	if n := strings.Count(log.String(), "cannot record what runs"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
	if got := reread(t, dir); len(got) != 100 {
		t.Errorf("%d survivors", len(got))
	}
}

// While a disk hangs the queue stays short, however much happens; when it answers again
// the table says what runs.
func TestQueueStaysShort(t *testing.T) {
	dir := t.TempDir()
	table := newRunningTable(dir, slog.New(slog.DiscardHandler))
	if _, err := table.open(); err != nil {
		t.Fatal(err)
	}
	longest := 0
	for i := range 100_000 {
		name := fmt.Sprint("p", i%10)
		table.changed(began(name, i+1))
		longest = max(longest, len(table.queue))
		if i%10 != 9 || i < 99_990 {
			table.changed(runtime.RunChange{Group: "g", Name: name, PID: i + 1})
		}
	}
	if longest > 2*queueLimit {
		t.Errorf("the queue had %d entries", longest)
	}
	done := make(chan struct{})
	close(done)
	table.run(done)
	if got := names(reread(t, dir)); !slices.Equal(got, []string{"p9 100000"}) {
		t.Errorf("got %v", got)
	}
}

// BenchmarkStarts is what the table adds to a thousand starts.
func BenchmarkStarts(b *testing.B) {
	table := newRunningTable(b.TempDir(), slog.New(slog.DiscardHandler))
	if _, err := table.open(); err != nil {
		b.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with done
		table.run(done)
		close(ended)
	}()
	b.ReportAllocs()
	for b.Loop() {
		for i := range 1000 {
			c := began("a", i+1)
			c.Group = fmt.Sprint("g", i)
			table.announce(c)
			table.changed(c)
		}
	}
	close(done)
	<-ended
}

// FuzzTable reads anything as the table of what runs: only what is of this boot is
// taken, and what is taken is written down and read the same by the daemon after this.
func FuzzTable(f *testing.F) {
	const boot = "this"
	read := func(text []byte) (*runningTable, launch.Identity) {
		t := newRunningTable("", slog.New(slog.DiscardHandler))
		t.self = launch.Identity{PID: 1, StartTime: 2, BootID: boot}
		return t, t.read(text)
	}
	kept, _ := read(nil)
	for _, name := range []string{"a", "b"} {
		v := began(name, 7).Remember(boot)
		kept.began(v)
		v.Name, v.PID = "c", 0
		kept.begins[place{v.Group, v.Name}] = v
	}
	seed := string(kept.whole())
	f.Add([]byte(seed))
	f.Add([]byte(strings.ReplaceAll(seed, `"this"`, `"other"`)))
	f.Add([]byte(seed[:len(seed)/2]))
	f.Add([]byte(seed + `{"ended":{"group":"g","name":"a","pid":7}}` + "\n" + `{"runs":null}` + "\n" + `{"runs":{"boot":"this","pid":-1,"started":"0000-01-01T00:00:00+23:59"}}` + "\n"))
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		defer b.Input(t)()
		table, _ := read(text)
		again, writer := read(table.whole())
		if diff := cmp.Diff(table.runs, again.runs) + cmp.Diff(table.begins, again.begins); diff != "" || writer != table.self {
			t.Errorf("by %v (-read +again):\n%s", writer, diff)
		}
		for _, list := range []map[place]runtime.Survivor{table.runs, table.begins} {
			for at, v := range list {
				if v.Boot != boot || at != (place{v.Group, v.Name}) {
					t.Errorf("%v stands at %v", v, at)
				}
			}
		}
	})
}
