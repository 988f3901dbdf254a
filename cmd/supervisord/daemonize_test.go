package main

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"supervisord/cmd/internal/systemd"
	"supervisord/runtime/logfile"
)

// TestWhatIsForUsIsNotInherited: a descriptor that is for the daemon itself, from whoever
// started it in the background or from a service manager, is not one that logs may name,
// and what has its number later is not handed on.
func TestWhatIsForUsIsNotInherited(t *testing.T) {
	before := logfile.Inherited()
	defer logfile.SetInherited(before)
	given := func() int {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	ready, socket, others := given(), given(), given()
	defer unix.Close(socket)
	defer unix.Close(others)
	logfile.SetInherited(append(slices.Clone(before), ready, socket, others))

	t.Setenv(readyVariable, strconv.Itoa(ready))
	f := handedOn(readyVariable)
	if f == nil || int(f.Fd()) != ready {
		t.Fatalf("descriptor %d is handed on as %v", ready, f)
	}
	f.Close()
	service, err := json.Marshal(systemd.Service{Sockets: []systemd.Socket{{FD: socket}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(serviceVariable, string(service))
	if _, errs := findManager(false); len(errs) > 0 {
		t.Fatal(errs)
	}
	want := append(slices.Clone(before), others)
	got := logfile.Inherited()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("inherited are %v, and should be %v", got, want)
	}
}
