package rpc

import (
	"runtime"
	"testing"
	"weak"
)

// TestDrawingIsLetGo: while the summary stays the same its drawing is passed on, and nothing
// else of the one for which it was prepared.
func TestDrawingIsLetGo(t *testing.T) {
	s := &Server{}
	first := new(drawing)
	s.drawParts(first, nil)
	second := new(drawing)
	s.drawParts(second, first)
	old := weak.Make(first)
	first = nil
	runtime.GC()
	if old.Value() != nil {
		t.Error("the drawing before is still held")
	}
	if second.chips() == "" || second.health[0][0]() == "" {
		t.Error("nothing was drawn")
	}
}
