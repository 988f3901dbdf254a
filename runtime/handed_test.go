package runtime

import (
	"os"
	"reflect"
	"testing"

	"supervisord/runtime/bound"
	"supervisord/runtime/exact"
	"supervisord/runtime/proc"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// TestWithout: definitions that were written down before come back to where they were left out.
func TestWithout(t *testing.T) {
	a, b, c := program("a", nil), program("b", nil), program("c", nil)
	whole := &Saved{Groups: []handedGroup{{Def: a}, {Def: b}, {Def: c}}}
	other := *b // by now
	rest := whole.Without([]*spec.Group{a, &other, c})
	if rest.Groups[0].Def != nil || rest.Groups[1].Def != b || rest.Groups[2].Def != nil || whole.Groups[0].Def != a {
		t.Errorf("%+v is left of %+v", rest.Groups, whole.Groups)
	}
	rest.Define([]*spec.Group{c, &other, a})
	for i, want := range []*spec.Group{a, b, c} {
		if rest.Groups[i].Def != want {
			t.Errorf("group %d is %+v", i, rest.Groups[i])
		}
	}
	gone := whole.Without([]*spec.Group{a})
	if gone.Define(nil); gone.Check() == nil {
		t.Error("a group without a definition is taken over")
	}
}

// Every definition is the same after a handover, and so is a text that is no Unicode.
func TestDefinitionsHandedOver(t *testing.T) {
	odd := program("odd", func(p *spec.Process) {
		p.Command, p.Directory, p.HasDir = "/bin/caf\xe9", "\x00", true
		p.Environment = spec.Env{"A\xff": "\x00b64", "B": "\ufffd", "C": ""}
		p.ExitCodes, p.User = []int{}, &spec.Account{Name: "\xfe", Groups: []int{1}}
	})
	groups := []*spec.Group{odd, listening("l"), program("plain", nil)}
	for _, g := range groups {
		data, err := exact.Marshal(&Saved{Groups: []handedGroup{{Def: g}}})
		if err != nil {
			t.Fatal(err)
		}
		var read Saved
		if err := exact.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		got := read.Groups[0].Def
		if !reflect.DeepEqual(g, got) || g.Processes[0].ExecHash() != got.Processes[0].ExecHash() ||
			spec.Fingerprint([]*spec.Group{g}) != spec.Fingerprint([]*spec.Group{got}) {
			t.Errorf("%+v became\n%+v\nby %x", g, got, data)
		}
	}
}

// writeDown writes a Handover down, and readBack reads one.
func writeDown(h *Handover) ([]byte, error) { return exact.Marshal(h.Save()) }

func readBack(data []byte, files []*os.File) (*Handover, error) {
	saved := new(Saved)
	if err := exact.Unmarshal(data, saved); err != nil {
		return nil, err
	}
	return saved.Handover(files)
}

// sound is what a Supervisor may write down, with one process of each kind.
func sound() *Saved {
	running := handedProcess{Machine: proc.Saved{State: state.Running, PID: 4000}, Descendants: &handedDescendants{PGID: 4000}}
	return &Saved{Version: 1, ReadableSince: 1, Groups: []handedGroup{
		{Def: program("a", nil), Processes: []handedProcess{running}},
		{Def: program("b", nil), Processes: []handedProcess{{}}},
	}}
}

// A version that is not understood, and what no Supervisor comes to, is refused whole.
func TestCheckSaved(t *testing.T) {
	check := (*Saved).check
	if err := check(sound()); err != nil {
		t.Fatal(err)
	}
	later := sound()
	if later.Version = 2; check(later) != nil {
		t.Error("a later version that says it can be read is refused")
	}
	for name, change := range map[string]func(*Saved){
		"no version":         func(d *Saved) { d.Version = 0 },
		"a version to come":  func(d *Saved) { d.Version, d.ReadableSince = 2, 2 },
		"a file of nobody":   func(d *Saved) { d.Files = 1 },
		"a file that is not": func(d *Saved) { d.Groups[0].Processes[0].Stdin = 1 },
		"a file twice": func(d *Saved) {
			d.Files = 1
			d.Groups[0].Processes[0].Stdin, d.Groups[0].Processes[0].PidFD = 1, 1
		},
		"two groups of a name":   func(d *Saved) { d.Groups[1].Def = d.Groups[0].Def },
		"no definition":          func(d *Saved) { d.Groups[0].Def = nil },
		"a process too few":      func(d *Saved) { d.Groups[0].Processes = nil },
		"no pid":                 func(d *Saved) { d.Groups[0].Processes[0].Machine.PID = 0 },
		"another's pid":          func(d *Saved) { d.Groups[1].Processes[0] = d.Groups[0].Processes[0] },
		"every process's pid":    func(d *Saved) { d.Groups[0].Processes[0].Machine.PID = -1 },
		"another's descendants":  func(d *Saved) { d.Groups[0].Processes[0].Descendants.PGID = 1 },
		"a listener without one": func(d *Saved) { d.Groups[0].Def.Listener = &spec.Listener{} },
		"a launch for nobody":    func(d *Saved) { d.Waiting = []slotName{{"a", "a"}} },
		"a socket that is not":   func(d *Saved) { d.Groups[0].Processes[0].HeldSocket = 1 },
		"a log of nobody":        func(d *Saved) { d.HeldAuto = &handedAuto{Slot: slotName{"c", "c"}} },
		"a signal of nobody":     func(d *Saved) { d.Groups[1].Processes[0].PendingExit = &proc.Exit{} },
	} {
		d := sound()
		if change(d); check(d) == nil {
			t.Errorf("%s is fine", name)
		}
	}
	if _, err := readBack([]byte(`{"version":1,"readable_since":1,"later":{}}`), []*os.File{os.Stdin}); err == nil {
		t.Error("a file too many is fine")
	}
}

// FuzzSaved: whatever is to be taken over is refused or can be written down again,
// and be gone on from.
func FuzzSaved(f *testing.F) {
	for _, d := range []*Saved{sound(), {Version: 1, ReadableSince: 1}, {}} {
		data, err := exact.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"readable_since":1,"groups":[{"definition":{"Name":"a"},"processes":[]}]}`)) // as earlier versions wrote it
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		defer b.Input(t)()
		h, err := readBack(data, nil)
		if err != nil {
			return
		}
		again, err := writeDown(h)
		if err != nil {
			t.Fatal(err)
		}
		next, err := readBack(again, nil)
		if err != nil {
			t.Fatalf("%v\n%x", err, again)
		}
		third, err := writeDown(next)
		if err != nil {
			t.Fatal(err)
		}
		last, err := readBack(third, nil)
		if err != nil || !reflect.DeepEqual(last.data, next.data) { // what was read first may say the same in other ways
			t.Errorf("%v: %+v\nbecame %+v", err, next.data, last.data)
		}
	})
}
