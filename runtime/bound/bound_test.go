package bound

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// misdeed names, in the environment, what the inputs of this process do.
const misdeed = "BOUND_MISDEED"

var kept [][]byte // what a misdeed keeps

// used has n bytes that the compiler cannot do without.
func used(n int) []byte {
	p := make([]byte, n)
	for i := 0; i < n; i += 4 << 10 {
		p[i] = 1
	}
	return p
}

// deeds are what an input may do, and what is said of it: nothing of what is allowed.
var deeds = map[string]struct {
	inputs int
	one    func()
	says   string
}{
	"nothing": {100_000, func() {}, ""},
	"much, bit by bit": {1, func() {
		for range 40_000 {
			kept = [][]byte{used(64 << 10)}
		}
	}, ""},
	"an eighth of it":  {100, func() { kept = [][]byte{used(Memory / 8)} }, ""},
	"too much, let go": {1, func() { kept = [][]byte{used(Memory + Memory/4)}; kept = nil }, "MiB above the size"},
	"too much in pieces": {1, func() {
		for range 100 {
			kept = append(kept, used(1<<20))
		}
		kept = nil
	}, "MiB above the size"},
	"a leak": {1000, func() { kept = append(kept, used(100<<10)) }, "MiB above the size"},
	"no end of it": {1, func() {
		for {
			kept = append(kept, used(1<<20))
			time.Sleep(100 * time.Microsecond)
		}
	}, "above its size at the start"},
	"a wait for nobody": {1, func() { <-make(chan int) }, "one input has taken 1."},
	"a loop without end": {1, func() {
		for i := 0; ; i++ {
			kept = kept[:min(i, 0)]
		}
	}, "one input has taken 1."},
}

// TestDeeds runs each in a process of its own.
func TestDeeds(t *testing.T) {
	if name := os.Getenv(misdeed); name != "" {
		deed := deeds[name]
		if strings.Contains(deed.says, "taken") {
			patience = time.Second
		}
		b := Start(t)
		for range deed.inputs {
			func() {
				defer b.Input(t)()
				deed.one()
			}()
			if t.Failed() {
				return
			}
		}
		return
	}
	for name, deed := range deeds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestDeeds$")
			cmd.Env = append(os.Environ(), misdeed+"="+name, "GOMAXPROCS=1")
			out, err := cmd.CombinedOutput()
			if (err != nil) != (deed.says != "") || !strings.Contains(string(out), deed.says) {
				t.Errorf("want %q; %v:\n%.2000s", deed.says, err, out)
			}
		})
	}
}

// BenchmarkInput is what the bounds cost an input.
func BenchmarkInput(b *testing.B) {
	target := Start(b)
	for b.Loop() {
		target.Input(b)()
	}
}
