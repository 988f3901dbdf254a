package main

import (
	"bufio"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"supervisord/reconcile/watch"
)

// releaseProgramPages has no page of the program's file count as memory of this process until
// it is used again. Most of what a start has touched never is: it reads files and makes
// patterns. The pages stay in the cache for files, from which the kernel first takes what
// nobody has in use. Where the file is on another machine nothing is done: a page that was
// taken would have to be read from there while a processor waits.
func releaseProgramPages() {
	if watch.RemoteType("/proc/self/exe") != "" {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, m := range mappings(f).like(uint64(reflect.ValueOf(releaseProgramPages).Pointer())) {
		// Nothing that was written to these pages is lost, since nothing was.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(m.from), uintptr(m.to-m.from), unix.MADV_DONTNEED)
	}
}

// mapping is a part of the address space.
type mapping struct {
	from, to uint64
	rights   string // "r-xp"
	file     string // its device, number and name
	// It is known that no page in memory, and none that was swapped out, differs from the file.
	memory, swap bool
}

type mappingList []mapping

// like are those of the file that has an address which cannot be written to and never were.
func (all mappingList) like(address uint64) (list mappingList) {
	file := ""
	for _, m := range all {
		if m.from <= address && address < m.to {
			file = m.file
		}
	}
	for _, m := range all {
		if file != "" && m.file == file && m.memory && m.swap && strings.HasPrefix(m.rights, "r-") && strings.HasSuffix(m.rights, "p") {
			list = append(list, m)
		}
	}
	return list
}

// mappings reads /proc/PID/smaps, see proc(5). Of a mapping of which it does not say how much
// was written, nothing is known.
func mappings(from io.Reader) (list mappingList) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) >= 2 && strings.HasSuffix(f[0], ":") {
			if len(list) > 0 {
				switch m := &list[len(list)-1]; f[0] {
				case "Anonymous:":
					m.memory = f[1] == "0"
				case "Swap:":
					m.swap = f[1] == "0"
				}
			}
			continue
		}
		if len(f) < 5 {
			continue
		}
		first, last, _ := strings.Cut(f[0], "-")
		from, err := strconv.ParseUint(first, 16, 64)
		to, failed := strconv.ParseUint(last, 16, 64)
		m := mapping{} // of no file, so that what is said of it is said of no other
		if err == nil && failed == nil && f[4] != "0" {
			m = mapping{from: from, to: to, rights: f[1], file: strings.Join(f[3:], " ")}
		}
		list = append(list, m)
	}
	return list
}
