package main

import (
	"reflect"
	"testing"

	"supervisord/reconcile"
	"supervisord/rpc"
	"supervisord/spec"
)

// TestCarriedIsExact: paths and contents are bytes, whatever they are.
func TestCarriedIsExact(t *testing.T) {
	const odd = "/srv/\xe4pfel"
	before := &carried{
		Version: carriedVersion, Since: carriedSince, Path: odd, Daemon: []byte("{}"), Listen: []spec.Server{{Path: odd}},
		Reconciler: &reconcile.Memory{Good: map[string][]byte{odd: {0xff}}, Located: map[string]string{"a": odd}},
		Servers:    new(rpc.Handover),
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
	if after.Path != odd || after.Listen[0].Path != odd || after.Reconciler.Located["a"] != odd ||
		!reflect.DeepEqual(after.Reconciler.Good, before.Reconciler.Good) {
		t.Errorf("%+v has become %+v", before, after)
	}
}
