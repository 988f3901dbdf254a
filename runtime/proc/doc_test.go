package proc

import (
	"os"
	"regexp"
	"testing"
)

// arrow is one way from a state to another.
type arrow struct{ from, to string }

// drawn are the arrows of doc.go.
func drawn(t *testing.T) map[arrow]bool {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	arrows, from := make(map[arrow]bool), ""
	for _, line := range regexp.MustCompile(`(?m)^//\t([A-Z]*) *──> ([A-Z]+)`).FindAllStringSubmatch(string(text), -1) {
		if line[1] != "" {
			from = line[1]
		}
		arrows[arrow{from, line[2]}] = true
	}
	return arrows
}

// TestDiagram: the machine takes every arrow that doc.go draws, and no other. The
// transcripts take them all.
func TestDiagram(t *testing.T) {
	want, got := drawn(t), make(map[arrow]bool)
	event := regexp.MustCompile(`(?m)^    emit ([A-Z]+) from ([A-Z]+)`)
	for _, file := range transcripts(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range event.FindAllStringSubmatch(string(text), -1) {
			a := arrow{e[2], e[1]}
			if got[a] = true; !want[a] {
				t.Errorf("%s: doc.go does not draw %s ──> %s", file, a.from, a.to)
			}
		}
	}
	for a := range want {
		if !got[a] {
			t.Errorf("no transcript takes %s ──> %s, which doc.go draws", a.from, a.to)
		}
	}
}
