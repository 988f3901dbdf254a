package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"testing"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/runtime/exact"
	"supervisord/spec"
)

// TestCarriedIsExact: paths and contents are bytes, whatever they are.
func TestCarriedIsExact(t *testing.T) {
	const odd = "/srv/\xe4pfel"
	memory := &reconcile.Memory{Good: map[string][]byte{odd: {0xff}}, Located: map[string]string{"a": odd}}
	before := &carried{
		Version: carriedVersion, Since: carriedSince, Path: odd, Daemon: written(t, &spec.Daemon{Umask: 0o22}), Listen: []spec.Server{{Path: odd}},
		Reconciler: written(t, memory), Servers: new(rpc.Handover),
	}
	f, err := before.write()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	after, err := readCarried(f)
	if err != nil {
		t.Fatal(err)
	}
	remembered := new(reconcile.Memory)
	if err := exact.Unmarshal(after.Reconciler, remembered); err != nil {
		t.Fatal(err)
	}
	if after.Path != odd || after.Listen[0].Path != odd || !bytes.Equal(after.Daemon, before.Daemon) || !reflect.DeepEqual(remembered, memory) {
		t.Errorf("%+v has become %+v, and %+v %+v", before, after, memory, remembered)
	}
}

// TestOwnAsBefore: nothing that the files say by now of the daemon itself gets mixed with
// what it was, or is changed for others that share it.
func TestOwnAsBefore(t *testing.T) {
	c := &carried{Daemon: written(t, &spec.Daemon{Environment: spec.Env{"OLD": "1"}, User: &spec.Account{Name: "old", Groups: []int{1}}})}
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
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Supervisor.Check(); err != nil {
		t.Error(err)
	}
	memory, own := new(reconcile.Memory), new(spec.Daemon)
	for part, into := range map[*exact.Raw]any{&before.Reconciler: memory, &before.Daemon: own} {
		if err := exact.Unmarshal(*part, into); err != nil {
			t.Fatal(err)
		}
		*part = written(t, into)
	}
	if len(memory.InForce.Groups) != 3 || !bytes.Contains(memory.Good["/srv/example/s.conf"], []byte("[program:web]")) || own.Identifier != "supervisor" {
		t.Errorf("the reconciler remembers %+v, the daemon is %+v", memory, own)
	}
	if files := len(before.SupervisorFiles); before.Version != 1 || files != 15 || before.Upgrades.Count != 3 {
		t.Errorf("%+v", before)
	}
	again, err := before.write()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	after, err := readCarried(again)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after, before) {
		t.Errorf("%+v has become\n%+v", before, after)
	}
	memoryAfter, ownAfter := new(reconcile.Memory), new(spec.Daemon)
	for part, into := range map[*exact.Raw]any{&after.Reconciler: memoryAfter, &after.Daemon: ownAfter} {
		if err := exact.Unmarshal(*part, into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(memoryAfter, memory) || !reflect.DeepEqual(ownAfter, own) {
		t.Errorf("%+v and %+v have become\n%+v and %+v", memory, own, memoryAfter, ownAfter)
	}
}

// TestIncomplete: what lacks a part is not taken over.
func TestIncomplete(t *testing.T) {
	whole := carried{
		Version: carriedVersion, Since: carriedSince, Daemon: written(t, new(spec.Daemon)),
		Reconciler: written(t, new(reconcile.Memory)), Servers: new(rpc.Handover),
	}
	for name, remove := range map[string]func(*carried){
		"nothing":        func(*carried) {},
		"the version":    func(c *carried) { c.Version = 0 },
		"the reconciler": func(c *carried) { c.Reconciler = nil },
		"its memory":     func(c *carried) { c.Reconciler = written(t, (*reconcile.Memory)(nil)) },
		"the daemon's":   func(c *carried) { c.Daemon = nil },
		"the servers":    func(c *carried) { c.Servers = nil },
	} {
		c := whole
		remove(&c)
		f, err := c.write()
		if err != nil {
			t.Fatal(err)
		}
		_, err = readCarried(f)
		f.Close()
		if (err == nil) != (name == "nothing") {
			t.Errorf("without %s: %v", name, err)
		}
	}
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
	c := &carried{Version: carriedVersion, Signals: []string{"SIGHUP"}}
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
