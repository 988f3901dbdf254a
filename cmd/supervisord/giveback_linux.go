package main

import (
	"bufio"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// letProgramGo has no page of the program's file count as memory of this process until it is
// used again. Most of what a start has touched is not: it reads files, makes patterns,
// and relocates tables. The pages stay in the cache for files, from which the kernel takes
// what it needs first of what nobody has in use.
func letProgramGo() {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, m := range mappings(f).like(uint64(reflect.ValueOf(letProgramGo).Pointer())) {
		// Nothing was ever written to these pages, so that the file has all that they had.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(m.from), uintptr(m.to-m.from), unix.MADV_DONTNEED)
	}
}

// mapping is a part of the address space.
type mapping struct {
	from, to uint64
	rights   string // "r-xp"
	file     string // its device, number and name
	written  bool   // some page is not as in the file
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
		if file != "" && m.file == file && !m.written && strings.HasPrefix(m.rights, "r-") && strings.HasSuffix(m.rights, "p") {
			list = append(list, m)
		}
	}
	return list
}

// mappings reads /proc/PID/smaps, see proc(5). A mapping of which the file does not say how much was
// written counts as written.
func mappings(from io.Reader) (list mappingList) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) >= 2 && strings.HasSuffix(f[0], ":") {
			if f[0] == "Anonymous:" && len(list) > 0 {
				list[len(list)-1].written = f[1] != "0"
			}
			continue
		}
		if len(f) < 5 {
			continue
		}
		first, last, _ := strings.Cut(f[0], "-")
		m := mapping{rights: f[1], file: strings.Join(f[3:], " "), written: true}
		var err, failed error
		m.from, err = strconv.ParseUint(first, 16, 64)
		m.to, failed = strconv.ParseUint(last, 16, 64)
		if err == nil && failed == nil && f[4] != "0" {
			list = append(list, m)
		} else {
			list = append(list, mapping{written: true})
		}
	}
	return list
}
