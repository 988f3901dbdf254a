package spec

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// diskHost answers from the real file system, as the daemon's host does.
type diskHost struct{ *memHost }

func (diskHost) ReadFile(name string) ([]byte, error)       { return os.ReadFile(name) }
func (diskHost) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (diskHost) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }

func (diskHost) Stamp(name string) (Stamp, bool) {
	info, err := os.Stat(name)
	if err != nil {
		return Stamp{}, false
	}
	stat := info.Sys().(*syscall.Stat_t)
	return Stamp{Ino: stat.Ino, Size: info.Size(), MTime: info.ModTime().UnixNano()}, true
}

// writeTree writes a main file that includes n files of one program each.
func writeTree(b *testing.B, n int) (h Host, main string) {
	b.Helper()
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		b.Fatal(err)
	}
	main = filepath.Join(dir, "supervisord.conf")
	write(b, main, "[unix_http_server]\nfile=/run/supervisor.sock\n\n[supervisord]\nlogfile=/tmp/supervisord.log\n\n"+
		"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n"+
		"[include]\nfiles = conf.d/*.conf\n")
	for i := range n {
		write(b, programFile(dir, i), programText(i, 3))
	}
	env := map[string]string{"HOME": "/root", "PATH": "/usr/bin:/bin"}
	return diskHost{&memHost{cwd: "/", env: env}}, main
}

func programFile(dir string, i int) string {
	return filepath.Join(dir, "conf.d", fmt.Sprintf("worker%05d.conf", i))
}

// programText is a program as people write them.
func programText(i, retries int) string {
	return fmt.Sprintf(`; worker %[1]d
[program:worker%05[1]d]
command=/bin/sh -c "exec sleep %[1]d"   ; what it does
process_name=%%(program_name)s_%%(process_num)02d
numprocs=1
directory=/tmp
environment=WORKER="%[1]d",HOME="/tmp",MODE="production"
autostart=true
autorestart=unexpected
startretries=%[2]d
stopasgroup=true
stopsignal=TERM
redirect_stderr=true
stdout_logfile=/tmp/%%(program_name)s.log
stdout_logfile_maxbytes=10MB
user=nobody
`, i, retries)
}

func write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkLoadCold reads everything for the first time. To beat on two cores:
// 50 ms for 1,000 files, 250 ms for 5,000.
func BenchmarkLoadCold(b *testing.B) {
	for _, n := range []int{1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, main := writeTree(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(h, main, Options{Cache: &Cache{}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReload reads again when one file of 5,000 changed. To beat: 20 ms more
// than BenchmarkLook.
func BenchmarkReload(b *testing.B) {
	h, main := writeTree(b, 5000)
	o := Options{Cache: &Cache{}}
	if _, err := Load(h, main, o); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	retries := 100
	for b.Loop() {
		retries++
		name := programFile(filepath.Dir(main), 2500)
		write(b, name, programText(2500, retries))
		// Two writes within a tick of the file system's clock look the same.
		if err := os.Chtimes(name, time.Time{}, time.Unix(int64(retries), 0)); err != nil {
			b.Fatal(err)
		}
		cfg, err := Load(h, main, o)
		if err != nil || cfg.Groups[2500].Processes[0].StartRetries != retries {
			b.Fatal(err, "the change is not in the configuration")
		}
	}
}

// BenchmarkLook is the part of a reload that cannot be saved: reading the
// directory and asking for the state of each file.
func BenchmarkLook(b *testing.B) {
	h, main := writeTree(b, 5000)
	dir := filepath.Join(filepath.Dir(main), "conf.d")
	for b.Loop() {
		entries, err := h.ReadDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range entries {
			if _, err := h.Stat(filepath.Join(dir, e.Name())); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	h, main := writeTree(b, 5000)
	cfg, err := Load(h, main, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		fingerprint(cfg)
	}
}

func BenchmarkDiff(b *testing.B) {
	h, main := writeTree(b, 5000)
	active, err := Load(h, main, Options{})
	if err != nil {
		b.Fatal(err)
	}
	desired, err := Load(h, main, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !Diff(active.Groups, desired.Groups).Empty() {
			b.Fatal("equal configurations differ")
		}
	}
}

// BenchmarkUnchanged looks at 1,000 files none of which changed, as every hint of
// the watcher and every rescan does.
func BenchmarkUnchanged(b *testing.B) {
	h, main := writeTree(b, 1000)
	o := Options{Cache: &Cache{}}
	if _, err := Load(h, main, o); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(h, main, o); err != nil {
			b.Fatal(err)
		}
	}
}
