package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"supervisord/reconcile/watch"
)

// TestMappings: what may be let go is of the program's own file, cannot be written to, and was
// not written to before (by a loader, or a debugger): that would be lost.
func TestMappings(t *testing.T) {
	const smaps = `00400000-009f8000 r-xp 00000000 fe:00 246999                             /usr/bin/supervisord
Size:               6112 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
009f8000-00a00000 r-xp 005f8000 fe:00 246999                             /usr/bin/supervisord
Anonymous:             4 kB
Swap:                  0 kB
00a00000-01000000 r--p 005f8000 fe:00 246999                             /usr/bin/supervisord
Anonymous:             0 kB
Swap:                  0 kB
01000000-01100000 rw-p 00bf8000 fe:00 246999                             /usr/bin/supervisord
Anonymous:             0 kB
Swap:                  0 kB
01100000-01200000 r--s 00bf8000 fe:00 246999                             /usr/bin/supervisord
Anonymous:             0 kB
Swap:                  0 kB
01200000-01300000 r--p 00bf8000 fe:00 246999                             /usr/bin/supervisord
Size:               6112 kB
01300000-01400000 r--p 00bf8000 fe:00 246999                             /usr/bin/supervisord
Anonymous:             0 kB
Swap:                  4 kB
7f0000000000-7f0000100000 r-xp 00000000 fe:00 247000                     /lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f0000100000-7f0000200000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
`
	for address, want := range map[uint64][]uint64{0x400010: {0x400000, 0xa00000}, 0x9f8000: {0x400000, 0xa00000}, 0x7f0000000010: {0x7f0000000000}, 0x7f0000100010: nil, 0x10: nil} {
		var got []uint64
		for _, m := range mappings(strings.NewReader(smaps)).like(address) {
			got = append(got, m.from)
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %#x: %#x, want %#x", address, got, want)
		}
	}
}

// TestReleaseProgramPages: the program goes on with less memory.
func TestReleaseProgramPages(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps"); err != nil || watch.RemoteType("/proc/self/exe") != "" {
		t.Skip("nothing is released here")
	}
	before := fileKilobytes(t)
	releaseProgramPages()
	if after := fileKilobytes(t); after >= before {
		t.Errorf("%d kB of its files, and before %d", after, before)
	}
}

// fileKilobytes is how much memory of this process is of files.
func fileKilobytes(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
