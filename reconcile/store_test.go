package reconcile

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/bound"
)

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "one")
	s := OpenStore(dir, nil)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info, err)
	}
	for _, sync := range []bool{true, false} {
		want := map[string]int{"a": 1}
		if err := s.Save("item", want, sync); err != nil {
			t.Fatal(err)
		}
		var got map[string]int
		if !s.Load("item", &got) {
			t.Fatal("not there")
		}
		equal(t, "item", got, want)
	}
	if list, err := filepath.Glob(dir + "/*"); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	var none []string
	if s.Load("nothing", &none) {
		t.Error("an item that was never saved is there")
	}
	for name, text := range map[string]string{"empty": "", "cut": `{"a":`, "other": `"text"`, "noise": "\x00\xff"} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Load(name, &none) {
			t.Errorf("%s: garbage was read", name)
		}
	}
}

// TestStoreUnwritable: one warning, and the state says so.
func TestStoreUnwritable(t *testing.T) {
	t.Parallel()
	log := new(logBuffer)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := OpenStore(filepath.Join(file, "below"), slog.New(slog.NewTextHandler(log, nil)))
	for range 3 {
		if err := s.Save("item", 1, true); err == nil {
			t.Error("saved below a file")
		}
	}
	if s.Err() == nil || log.count("level=WARN") != 1 {
		t.Errorf("error %v, log:\n%s", s.Err(), log)
	}

	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")})
	w.sh("touch state")
	w.start()
	w.becomes("a")
	w.write("conf.d/a.ini", ini("a", "command=/bin/n"))
	w.becomes("a=n")
	if w.rec.State().StateDirError == "" {
		t.Error("the state does not say that the directory cannot be written")
	}
	if n := w.log.count("level=WARN", "state directory"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, w.log)
	}
}

// TestHistoryOutlives: generation and history go on where an earlier life ended.
func TestHistoryOutlives(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.write("conf.d/b.ini", ini("b"))
	w.becomes("a, b")
	w.stop()
	w.table = newModel()
	w.start()
	w.eventually("a second start is in the history", func() bool { return len(w.rec.History(0)) == 3 })
	var got []string
	for _, e := range w.rec.History(0) {
		got = append(got, e.Trigger)
	}
	equal(t, "triggers, newest first", got, []string{TriggerStart, TriggerWatch, TriggerStart})
	if s := w.rec.State(); s.Generation != 3 {
		t.Errorf("generation %d", s.Generation)
	}
}

// TestGenerationsGoUp: no number is given twice, although entries are stored in
// the order in which the updates ended.
func TestGenerationsGoUp(t *testing.T) {
	t.Parallel()
	w := newFixture(t, "", map[string]string{"conf.d/a.ini": ini("a")}).start()
	w.stop()
	if err := w.rec.Store().Save(historyItem, []Entry{{Generation: 6}, {Generation: 5}}, true); err != nil {
		t.Fatal(err)
	}
	w.table = newModel()
	w.start()
	w.becomes("a")
	w.eventually("the start is in the history", func() bool { return len(w.rec.History(0)) == 3 })
	if e := w.rec.History(1)[0]; e.Generation != 7 {
		t.Errorf("%+v, want generation 7", e)
	}
}

func TestDefaultStateDir(t *testing.T) {
	rows := []struct {
		uid  int
		env  string
		want string
	}{
		{0, "HOME=/root", "/var/lib/supervisord"},
		{7, "XDG_STATE_HOME=/x HOME=/h", "/x/supervisord"},
		{7, "XDG_STATE_HOME=relative HOME=/h", "/h/.local/state/supervisord"},
		{7, "HOME=/h", "/h/.local/state/supervisord"},
		{7, "", ""},
	}
	for _, r := range rows {
		getenv := func(key string) string {
			for _, kv := range strings.Fields(r.env) {
				if name, value, _ := strings.Cut(kv, "="); name == key {
					return value
				}
			}
			return ""
		}
		if got := DefaultStateDir(r.uid, getenv); got != r.want {
			t.Errorf("uid %d, %s: %q, want %q", r.uid, r.env, got, r.want)
		}
	}
}

// TestStateDirsDiffer: daemons of two main files do not share their memory.
func TestStateDirsDiffer(t *testing.T) {
	t.Parallel()
	a, b := newFixture(t, "", nil), newFixture(t, "", nil)
	for _, w := range []*fixture{a, b} {
		w.write("main.conf", "[supervisord]\n[reconcile]\nstatedir="+a.root+"/shared\n")
		w.start()
	}
	if a.rec.Store().Dir() == b.rec.Store().Dir() {
		t.Error("the same directory")
	}
}

// FuzzStore reads anything as the state files: what is taken from them is stored and
// read the same.
func FuzzStore(f *testing.F) {
	f.Add([]byte(`{"/etc/a.ini":"W3Byb2dyYW06YV0K","/etc/b.ini":""}`),
		[]byte(`[{"generation":3,"time":"2026-11-28T10:00:00Z","trigger":"watch","caller":"0","actions":[{"op":"add","group":"a"}],"result":"applied","duration_ms":5}]`))
	f.Add([]byte(`{"a":null}`), []byte(`[{"time":"0000-01-01T00:00:00+23:59","actions":null}]`))
	f.Add([]byte(`null`), []byte(`[`))
	s := OpenStore(f.TempDir()+"/state", nil)
	b := bound.Start(f)
	f.Fuzz(func(t *testing.T, files, entries []byte) {
		defer b.Input(t)()
		for item, text := range map[string][]byte{goodItem: files, historyItem: entries} {
			if err := os.WriteFile(filepath.Join(s.Dir(), item+".json"), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var good, good2 map[string][]byte
		if s.Load(goodItem, &good) {
			if err := s.Save(goodItem, newContents(good).raw(), false); err != nil || !s.Load(goodItem, &good2) {
				t.Errorf("%q is not stored: %v", good, err)
			}
			equal(t, "contents", newContents(good2).raw(), newContents(good).raw())
		}
		var history, history2 []Entry
		if s.Load(historyItem, &history) {
			if err := s.Save(historyItem, history, false); err != nil || !s.Load(historyItem, &history2) {
				t.Errorf("%v is not stored: %v", history, err)
			}
			equal(t, "history", history2, history)
			for _, e := range withEntry(history, Entry{}) {
				for i := range e.Actions {
					_ = e.Actions[i].String()
				}
			}
		}
	})
}

// TestKeeperTriesAgain: what could not be written is written once the disk can, and no
// sooner than after a pause that grows. What is new is tried at once.
func TestKeeperTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		r := keeper{store: OpenStore(dir, nil)}
		there := func(item string) bool {
			info, err := os.Stat(filepath.Join(dir, item+".json"))
			return err == nil && info.Mode().IsRegular()
		}
		// The one item cannot be replaced, the other can.
		inTheWay := filepath.Join(dir, goodItem+".json")
		if err := os.Mkdir(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		k := keepsake{[]Entry{{Generation: 1, Time: time.Now()}}, newContents(map[string][]byte{"/etc/a": []byte("x")}), nil, nil, "", nil}
		tries := 0
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(time.Second) { // the looks
			was := r.again
			r.keep(k)
			if !r.again.Equal(was) {
				tries++
			}
		}
		if !there(historyItem) || there(goodItem) || r.store.Err() == nil || tries < 10 || tries > 20 {
			t.Errorf("history %v, files %v, %v, %d tries in an hour", there(historyItem), there(goodItem), r.store.Err(), tries)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		r.again = time.Now().Add(time.Second)
		r.keep(k)
		if there(goodItem) {
			t.Error("it was tried before its time")
		}
		time.Sleep(time.Second)
		r.keep(k)
		if !there(goodItem) || r.store.Err() != nil {
			t.Errorf("it is not written although it can be: %v", r.store.Err())
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		r.keep(k)
		if there(goodItem) {
			t.Error("what is stored was written again")
		}
		if err := os.Mkdir(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		k.good = newContents(map[string][]byte{"/etc/a": []byte("y")})
		r.keep(k)
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		k.good = newContents(map[string][]byte{"/etc/a": []byte("z")})
		r.keep(k)
		if !there(goodItem) {
			t.Error("what is new was not tried at once")
		}
	})
}
