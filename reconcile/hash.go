package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"supervisord/spec"
)

// ConfigHash is a SHA-256 over what groups say after full expansion, in hex:
// equal exactly if an update from one to the other has nothing to do. The order
// of the groups and the files they stand in do not matter, so that machines can
// be compared.
func ConfigHash(groups []*spec.Group) string {
	sorted := slices.SortedFunc(slices.Values(groups), func(a, b *spec.Group) int {
		return strings.Compare(a.Name, b.Name)
	})
	h := sha256.New()
	for _, g := range sorted {
		sum := groupHash(g)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ProcessHash is the same of one process, the place of its definition left out.
func ProcessHash(p *spec.Process) string {
	h := sha256.New()
	writeProcess(h, p)
	return hex.EncodeToString(h.Sum(nil))
}

type sum [sha256.Size]byte

// groupHash covers what spec's Group.Equal compares, and nothing else.
func groupHash(g *spec.Group) (s sum) {
	h := sha256.New()
	fmt.Fprintf(h, "group %q %d %d\n", g.Name, g.Kind, g.Priority)
	if l := g.Listener; l != nil {
		fmt.Fprintf(h, "listener %q %d %q %d\n", l.Events, l.BufferSize, l.ResultHandler, l.StallTimeout)
	}
	for i := range g.Processes {
		writeProcess(h, &g.Processes[i])
	}
	h.Sum(s[:0])
	return s
}

func writeProcess(h hash.Hash, p *spec.Process) {
	fmt.Fprintf(h, "process %q %d %q %q %t %d ", p.Name, p.Priority, p.Command, p.Directory, p.HasDir, p.Umask)
	if p.User != nil {
		fmt.Fprintf(h, "user %d %d ", p.User.UID, p.User.GID)
	}
	for _, key := range slices.Sorted(maps.Keys(p.Environment)) {
		fmt.Fprintf(h, "%q=%q ", key, p.Environment[key])
	}
	if p.ServerURLAuto {
		fmt.Fprint(h, "AUTO ")
	} else {
		fmt.Fprintf(h, "%q ", p.ServerURL)
	}
	fmt.Fprintf(h, "%t %d %d %d %v %d %d %t %t %d %t ",
		p.Autostart, p.Autorestart, p.StartSecs, p.StartRetries, p.ExitCodes,
		p.StopSignal, p.StopWaitSecs, p.StopAsGroup, p.KillAsGroup, p.KillMode, p.RedirectStderr)
	fmt.Fprintf(h, "%q %q ", fmt.Sprint(p.Stdout), fmt.Sprint(p.Stderr))
	if p.Socket != nil {
		fmt.Fprintf(h, "socket %q", fmt.Sprint(*p.Socket))
	}
	fmt.Fprintln(h)
}
