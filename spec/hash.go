package spec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
)

// Fingerprint is a SHA-256 over the definitions of groups, in hex: equal exactly if
// an update from one to the other has nothing to do. The order of the groups and
// their files do not matter, so that machines can be compared; nor does a key that
// has its default, so that a key added by a later version changes no fingerprint.
//
// Source: reconciler.md, getState.
func Fingerprint(groups []*Group) string {
	sorted := slices.SortedFunc(slices.Values(groups), func(a, b *Group) int { return strings.Compare(a.Name, b.Name) })
	d := newDigest()
	for _, g := range sorted {
		d.group(g)
	}
	sum := d.sum()
	return hex.EncodeToString(sum[:])
}

// ExecHash is a fingerprint of what a running child of p was given at its start:
// another exactly if Compare finds a difference for which the child must be
// restarted.
//
// Source: reconciler.md, What counts as a change, restart; After the daemon
// itself was killed.
func (p *Process) ExecHash() [32]byte {
	d := newDigest()
	d.text(p.Name)
	feed(d, processFields, p, defaultProcess, func(e effect) bool { return e == restarts })
	for i := range processFields {
		if f := &processFields[i]; f.start != nil && f.start(p) != "" {
			d.text(f.name, f.start(p))
		}
	}
	return d.sum()
}

// digest feeds values to a hash so that no two lists of values feed it the same
// bytes: every text goes after its length.
type digest struct {
	hash hash.Hash
	buf  []byte
}

func newDigest() *digest { return &digest{hash: sha256.New(), buf: make([]byte, 0, 4096)} }

func (d *digest) sum() (sum [32]byte) {
	d.flush()
	d.hash.Sum(sum[:0])
	return sum
}

func (d *digest) flush() {
	d.hash.Write(d.buf)
	d.buf = d.buf[:0]
}

func (d *digest) text(list ...string) {
	for _, s := range list {
		d.buf = append(binary.AppendUvarint(d.buf, uint64(len(s))), s...)
	}
	if len(d.buf) > 3000 {
		d.flush()
	}
}

func (d *digest) number(list ...int64) {
	for _, n := range list {
		d.buf = binary.AppendVarint(d.buf, n)
	}
}

func (d *digest) flag(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	d.number(n)
}

// feed feeds the name and value of each field that differs from the default; an
// empty name ends the list.
func feed[S any](d *digest, fields []field[S], p, defaults *S, wanted func(effect) bool) {
	for i := range fields {
		if f := &fields[i]; wanted(f.effect) && !f.same(p, defaults) {
			d.text(f.name)
			f.feed(d, p)
		}
	}
	d.text("")
}

func (d *digest) group(g *Group) {
	every := func(effect) bool { return true }
	d.text(g.Name)
	feed(d, groupFields, g, defaultGroup, every)
	d.number(int64(len(g.Processes)))
	for i := range g.Processes {
		d.text(g.Processes[i].Name)
		feed(d, processFields, &g.Processes[i], defaultProcess, every)
	}
}
