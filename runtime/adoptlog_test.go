package runtime

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"supervisord/runtime/launch"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// lateReopen is a kernel that takes long to find pipes.
type lateReopen struct {
	*fakeKernel
	found chan struct{}
}

func (k lateReopen) Reopen(int, launch.Pipes) (stdout, stderr *os.File) {
	<-k.found
	return nil, nil
}

// An adopted process that ends before its pipes are found takes nothing from the
// one that is started in its place.
func TestAdoptedEndsBeforeItsPipesAreFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	synctest.Test(t, func(t *testing.T) {
		k := lateReopen{newFakeKernel(), make(chan struct{})}
		s := New(Options{kernel: k, children: k.notices})
		ctx, cancel := context.WithCancel(background)
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		g := program("web", func(p *spec.Process) {
			p.StartSecs, p.Autorestart, p.Stdout = 0, spec.RestartAlways, spec.Output{Kind: spec.OutputFile, File: path}
		})
		if err := s.SetGroup(ctx, nil, g, nil); err != nil {
			t.Fatal(err)
		}
		k.names[77] = "web"
		if err := s.Adopt(ctx, Survivor{Group: "web", Name: "web", PID: 77, Start: 77, Hash: execHash(&g.Processes[0])}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		k.exit("web", 1)
		synctest.Wait()
		if i, _ := s.Info(ctx, "web", "web"); i.State != state.Running || i.PID == 77 {
			t.Fatalf("%v with pid %d", i.State, i.PID)
		}
		close(k.found)
		synctest.Wait()
		s.ask(ctx, func() { go s.byName["web"].procs[0].out[0].log.Write([]byte("kept\n")) })
		synctest.Wait()
		if text, err := os.ReadFile(path); string(text) != "kept\n" {
			t.Errorf("the log has %q (%v)", text, err)
		}
	})
}
