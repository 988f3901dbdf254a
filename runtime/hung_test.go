package runtime

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"supervisord/runtime/hang"
	"supervisord/spec"
)

// TestRequestsOnAHungDisk: however often something is asked that needs a disk that does
// not answer, what waits for it is bounded, and who asks is told.
func TestRequestsOnAHungDisk(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(b *bench) {
		release := make(chan struct{})
		go hang.Ask(background, b.sup.disks, dir, func() (any, error) { <-release; return nil, nil })
		b.after(3 * time.Second)
		for range 3 {
			_, err := b.sup.ClearLogs(background, one("web"))
			if err == nil || !strings.Contains(err.Error(), dir+" does not answer") {
				t.Errorf("clearing: %v", err)
			}
			ctx, cancel := context.WithTimeout(background, time.Second)
			if _, err := b.sup.Start(ctx, one("web"), true); err == nil || !strings.Contains(err.Error(), "already started") {
				t.Errorf("starting: %v", err)
			}
			cancel()
		}
		close(release)
		synctest.Wait()
		b.after(time.Second)
		if _, err := b.sup.ClearLogs(background, one("web")); err != nil {
			t.Errorf("when it answers again: %v", err)
		}
	}, program("web", func(p *spec.Process) {
		p.Command = filepath.Join(dir, "web")
		p.Stdout = spec.Output{Kind: spec.OutputFile, File: filepath.Join(dir, "log")}
	}))
}
