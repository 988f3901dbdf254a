package runtime

import (
	"context"
	"errors"
	"testing"
	"time"

	"supervisord/spec"
)

// TestAwaitRunning: it ends when a process is as far as it comes, and says what has failed.
func TestAwaitRunning(t *testing.T) {
	ended := func(p *spec.Process) { p.StartSecs, p.Autorestart = 0, spec.RestartNever }
	inBubble(t, func(b *bench) {
		await := func(name string) error {
			ctx, cancel := context.WithTimeout(background, time.Hour)
			defer cancel()
			return b.sup.AwaitRunning(ctx, name, []string{name, "nobody"})
		}
		begun := time.Now()
		if err := await("slowly"); err != nil || time.Since(begun) < 9*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		b.kernel.exit("done", 0)
		b.kernel.exit("failed", 3)
		b.after(time.Second)
		for name, want := range map[string]string{"done": "", "failed": "failed: Bad exit code 3", "down": "", "none": ""} {
			if err := await(name); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if err := await("waits"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("what waits: %v", err)
		}
	}, program("slowly", func(p *spec.Process) { p.StartSecs = 10 }), program("done", ended), program("failed", ended),
		program("down", func(p *spec.Process) { p.Autostart = false }),
		program("waits", func(p *spec.Process) { p.DependsOn = []spec.Dependency{{Name: "nowhere", Until: spec.UntilRunning}} }))
}
