package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const writers = 8 // children that write at once

// logRows measure what children write.
func logRows() []row {
	var all []row
	for _, w := range []struct {
		name           string
		children, size int
		total          int // bytes, of each child
	}{
		{"one 100-byte line a write", 1, 100, 256 << 20},
		{"64 KiB writes", 1, 64 << 10, 512 << 20},
		{"eight children, 64 KiB writes", writers, 64 << 10, 128 << 20},
	} {
		all = append(all, row{[]figure{
			{"log capture, " + w.name, "MB/s"},
			{"log capture, " + w.name + ", CPU", "s/GiB"},
		}, true, func(r *run) ([]float64, error) { return capture(r, w.children, w.size, w.total/w.size) }})
	}
	for _, w := range []struct {
		name string
		rate int
	}{{"10 MB/s of logs each", 10}, {"logs as fast as they can", 0}} {
		name := "getState while eight children write " + w.name
		all = append(all, row{[]figure{{name + ", p50", "ms"}, {name + ", p99", "ms"}}, false,
			func(r *run) ([]float64, error) { return beside(r, w.rate) }})
	}
	return all
}

// capture is the way of children's output into their logs, whole: the default size of
// a log, rotations and all, or cat's way from a pipe to a file.
func capture(r *run, children, size, count int) ([]float64, error) {
	var readers []*process
	if r.name == limit {
		for i := range children {
			cat, err := r.cat(fmt.Sprintf("out.%d.log", i), r.command(r.child, "write", r.told.path, "0", fmt.Sprint(size), fmt.Sprint(count)))
			if err != nil {
				return nil, err
			}
			readers = append(readers, cat)
		}
	} else {
		if err := r.begin(descriptors(children), "", r.writers(children, "", 0, size, count)); err != nil {
			return nil, err
		}
		readers = append(readers, r.daemon)
	}
	ready, err := r.collect(children)
	if err != nil {
		return nil, err
	}
	for _, p := range readers {
		if err := r.quiet(p); err != nil {
			return nil, err
		}
	}
	used := func() (sum time.Duration, err error) {
		for _, p := range readers {
			d, err := cpu(p.Pid)
			if err != nil {
				return 0, err
			}
			sum += d
		}
		return sum, nil
	}
	before, err := used()
	if err != nil {
		return nil, err
	}
	if err := signal(ready, syscall.SIGUSR1); err != nil {
		return nil, err
	}
	all, err := r.collect(2 * children)
	if err != nil {
		return nil, err
	}
	total := children * size * count
	if err := r.logged(int64(total)); err != nil {
		return nil, err
	}
	after, err := used()
	// The pipes are small beside the total, so the writers' end is that of the whole.
	first, last := span(all)
	return []float64{float64(total) / 1e6 / (took(first, last) / 1e3), (after - before).Seconds() / (float64(total) / (1 << 30))}, err
}

// writers are children that write when they are told to, each to a log of its own.
func (r *run) writers(n int, keys string, rate, size, count int) string {
	return r.plays("program:w", fmt.Sprintf("numprocs=%d\nprocess_name=%%(process_num)d\nstdout_logfile=%s/out.%%(process_num)d.log\n%s", n, r.dir, keys),
		"write", rate, size, count)
}

// cat has cat copy what a command writes to a file.
func (r *run) cat(name string, from *exec.Cmd) (*process, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	defer in.Close()
	file, err := os.Create(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cat := r.command("cat")
	cat.Stdin, cat.Stdout, from.Stdout = out, file, in
	if _, err := r.start(from); err != nil {
		return nil, err
	}
	return r.start(cat)
}

// logged waits until all logs together have so many bytes.
func (r *run) logged(total int64) error {
	return r.until(fmt.Sprint("all of ", total, " bytes to be logged"), func() (bool, error) {
		logs, err := filepath.Glob(filepath.Join(r.dir, "out.*"))
		sum := int64(0)
		for _, log := range logs {
			if info, err := os.Stat(log); err == nil { // or it has just been rotated
				sum += info.Size()
			}
		}
		return sum == total, err
	})
}

// beside is how long getState takes while children write.
func beside(r *run, rate int) ([]float64, error) {
	const look, pause = 4 * time.Second, time.Millisecond
	if err := r.begin(descriptors(writers), "", r.writers(writers, "stdout_logfile_maxbytes=10MB\nstdout_logfile_backups=1", rate, 64<<10, 0)); err != nil {
		return nil, err
	}
	ready, err := r.collect(writers)
	if err != nil {
		return nil, err
	}
	if err := r.running(writers); err != nil {
		return nil, err
	}
	ask, err := r.kept("getState", "")
	if err != nil {
		return nil, err
	}
	if err := signal(ready, syscall.SIGUSR1); err != nil {
		return nil, err
	}
	if _, err := r.collect(writers); err != nil {
		return nil, err
	}
	var late []float64
	for start := time.Now(); time.Since(start) < look; time.Sleep(pause) {
		begun := now()
		if err := ask(); err != nil {
			return nil, err
		}
		late = append(late, took(begun, now()))
	}
	return []float64{percentile(late, 50), percentile(late, 99)}, nil
}

// kept is a function that calls a method over a connection of its own, with next to
// no work of its own, which would take the daemon's processor. It ends with the run.
func (r *run) kept(method, params string) (ask func() error, err error) {
	conn, err := net.Dial("unix", filepath.Join(r.dir, "sock"))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(r, func() { conn.Close() })
	body := "<?xml version='1.0'?><methodCall><methodName>supervisor." + method + "</methodName><params>" + params + "</params></methodCall>"
	request := fmt.Appendf(nil, "POST /RPC2 HTTP/1.1\r\nHost: daemon\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	answer := bufio.NewReader(conn)
	return func() error {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		reply, err := http.ReadResponse(answer, nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(reply.Body)
		if err == nil && (reply.StatusCode != http.StatusOK || bytes.Contains(text, []byte("<fault>"))) {
			err = fmt.Errorf("%s: %s: %s", method, reply.Status, text)
		}
		return err
	}, nil
}
