package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime"
	"supervisord/runtime/exact"
	"supervisord/spec"
)

// TestCarriedIsExact: paths and contents are bytes, whatever they are.
func TestCarriedIsExact(t *testing.T) {
	const odd = "/srv/\xe4pfel"
	memory := &reconcile.Memory{Good: map[string][]byte{odd: {0xff}}, Located: map[string]string{"a": odd}}
	before := whole(t)
	before.Path, before.Daemon, before.Listen, before.Reconciler = odd, written(t, &spec.Daemon{Umask: 0o22}), []spec.Server{{Path: odd}}, memory
	after, err := handedOver(t, before)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after.lasting, before.lasting) || !reflect.DeepEqual(after.Servers, before.Servers) {
		t.Errorf("%+v has become %+v", before, after)
	}
}

// TestOwnAsBefore: nothing that the files say by now of the daemon itself gets mixed with
// what it was, or is changed for others that share it.
func TestOwnAsBefore(t *testing.T) {
	c := &lasting{Daemon: written(t, &spec.Daemon{Environment: spec.Env{"OLD": "1"}, User: &spec.Account{Name: "old", Groups: []int{1}}})}
	files := spec.Daemon{Environment: spec.Env{"NEW": "2"}, User: &spec.Account{Name: "new", UID: 7, Groups: []int{2, 3}}, MinFDs: 9}
	got, err := c.own(files)
	want := spec.Daemon{Environment: spec.Env{"OLD": "1"}, User: &spec.Account{Name: "old", Groups: []int{1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v, want %+v", err, got, want)
	}
	if files.User.Name != "new" || len(files.Environment) != 1 || !slices.Equal(files.User.Groups, []int{2, 3}) {
		t.Errorf("the files say %+v", files)
	}
}

// TestEarlierForm: what an earlier version left is understood, and says the same in today's
// form. testdata/form-1.json is what a daemon of version 1 left that ran a listener and two
// processes.
func TestEarlierForm(t *testing.T) {
	f, err := os.Open("testdata/form-1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, err := readCarried(f)
	if err == nil {
		err = before.decode()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Supervisor.Check(); err != nil {
		t.Error(err)
	}
	own := new(spec.Daemon)
	if err := exact.Unmarshal(before.Daemon, own); err != nil {
		t.Fatal(err)
	}
	before.Daemon = written(t, own)
	if memory := before.Reconciler; len(memory.InForce.Groups) != 3 || !bytes.Contains(memory.Good["/srv/example/s.conf"], []byte("[program:web]")) || own.Identifier != "supervisor" {
		t.Errorf("the reconciler remembers %+v, the daemon is %+v", memory, own)
	}
	if files := len(before.SupervisorFiles); before.Version != 1 || files != 15 || before.Upgrades.Count != 3 {
		t.Errorf("%+v", before)
	}
	after, err := handedOver(t, before)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after.lasting, before.lasting) {
		t.Errorf("%+v has become\n%+v", before.lasting, after.lasting)
	}
	if after.Lasting, before.Lasting = 0, 0; !reflect.DeepEqual(after.momentary, before.momentary) {
		t.Errorf("%+v has become\n%+v", before.momentary, after.momentary)
	}
}

// TestIncomplete: what lacks a part is not taken over.
func TestIncomplete(t *testing.T) {
	for name, remove := range map[string]func(*carried){
		"nothing":        func(*carried) {},
		"the version":    func(c *carried) { c.Version = 0 },
		"the reconciler": func(c *carried) { c.Reconciler = nil },
		"the daemon's":   func(c *carried) { c.Daemon = nil },
		"the supervisor": func(c *carried) { c.Supervisor = nil },
		"the servers":    func(c *carried) { c.Servers = nil },
	} {
		c := whole(t)
		remove(c)
		if _, err := handedOver(t, c); (err == nil) != (name == "nothing") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestNewer: what is of a version that this program does not know is refused as such, whatever
// else is wrong with it.
func TestNewer(t *testing.T) {
	text, err := exact.Marshal(&struct {
		Version    int    `json:"version"`
		Since      int    `json:"readable_since"`
		Reconciler string `json:"reconciler"`
	}{carriedVersion + 2, carriedVersion + 1, "another form"})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("of version %d, and this one understands at most %d", carriedVersion+2, carriedVersion)
	if err := new(lasting).read(text); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// whole is the least that can be taken over.
func whole(t *testing.T) *carried {
	return &carried{
		lasting:   lasting{Version: carriedVersion, Since: carriedSince, Daemon: written(t, new(spec.Daemon)), Reconciler: new(reconcile.Memory)},
		momentary: momentary{Supervisor: runtime.Form(), Servers: new(rpc.Handover)},
	}
}

// handedOver is what is read of c once it is written down.
func handedOver(t *testing.T, c *carried) (*carried, error) {
	t.Helper()
	lasting, err := inMemory(&c.lasting)
	if err != nil {
		t.Fatal(err)
	}
	defer lasting.Close()
	n, err := number(lasting)
	if err == nil {
		c.Lasting, err = furtherNumber(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := inMemory(&c.momentary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	again, err := readCarried(f)
	if err == nil {
		err = again.decode()
		again.file.Close()
	}
	return again, err
}

// written is v as a part of what is carried.
func written(t *testing.T, v any) exact.Raw {
	t.Helper()
	data, err := exact.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLateSignals: what comes while everything is written down is written down as well.
func TestLateSignals(t *testing.T) {
	c := whole(t)
	c.Signals = []string{"SIGHUP"}
	asked := 0
	go func() { (<-mainThread)() }()
	err := c.execute("/nonexistent/supervisord", []string{"supervisord"}, func() []string {
		if asked++; asked == 1 {
			return []string{"SIGTERM"}
		}
		return nil
	})
	if !errors.Is(err, fs.ErrNotExist) || asked != 2 || !slices.Equal(c.Signals, []string{"SIGHUP", "SIGTERM"}) {
		t.Errorf("%v after %d questions, with %v", err, asked, c.Signals)
	}
}
