package watch

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOtherName: a file that is written under another of its names is noticed, without
// a rescan, whenever the name was made.
func TestOtherName(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir d e; echo 1 >e/other; ln e/other d/a.ini; echo 1 >d/b.ini; echo 1 >d/note.txt; ln d/note.txt e/note")
	w := start(t, root, nil, "d/*.ini")
	eachNoticed(t, w, root,
		"echo 2 >>e/other",
		"truncate -s 0 e/other",
		"chmod 600 e/other",
		"ln d/b.ini e/late; touch d/b.ini", // which alone only the next look would see
		"echo 2 >>e/late",
		"echo 3 >e/next; ln e/next d/.new; mv d/.new d/a.ini", // the file is another now
		"echo 4 >>e/next",
		"ln d/a.ini d/c.ini", // two names here
		"echo 5 >>e/next",
		"rm d/a.ini",
		"echo 6 >>e/next",
	)
	shell(t, root, "echo 2 >>e/note; echo 2 >>e/other")
	quiet(t, w, "files that no pattern matches, or no more")
}

// TestMapping: what is written to a mapping of a file is noticed when the file is
// closed, without a rescan.
func TestMapping(t *testing.T) {
	t.Parallel()
	root := realTempDir(t)
	shell(t, root, "mkdir d e; for f in d/a.ini d/note.txt e/other; do echo 0123456789 >$f; done; ln e/other d/b.ini")
	w := start(t, root, nil, "d/*.ini")
	for _, file := range []string{"d/a.ini", "e/other", "d/b.ini", "d/a.ini"} {
		for i, closeFirst := range []bool{false, true} {
			poke(t, root+"/"+file, byte('a'+i), closeFirst)
			expect(t, w, fmt.Sprintf("%s was written through a mapping, closed first: %v", file, closeFirst))
			drain(t, w)
		}
	}
	poke(t, root+"/d/note.txt", 'x', false)
	quiet(t, w, "a file that no pattern matches")
	shell(t, root, ": >>d/a.ini")
	quiet(t, w, "a file that was open for writing and is as it was")
}

// poke changes the first byte of a file through a mapping.
func poke(t *testing.T, path string, b byte, closeFirst bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if closeFirst {
		f.Close()
	}
	m[0] = b
	if err := unix.Munmap(m); err != nil {
		t.Fatal(err)
	}
}
