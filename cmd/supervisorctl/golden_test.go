package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"supervisord/cmd/internal/oracle"
)

// goldenRow is something that both programs do, and what there was to see.
type goldenRow struct {
	name string
	play func(t *testing.T, kind oracle.Kind) string
	// differs says in a sentence why ours is meant to differ; our output is then
	// in the golden file beside the original's.
	differs string
	// alone is set where the original has nothing to compare with.
	alone bool
}

// differsMark stands in a section between the original's output and ours.
const differsMark = "# ours differs: "

// record is the row's section of the golden file.
func (row goldenRow) record(t *testing.T) string {
	switch {
	case row.differs == "" && row.alone:
		return row.play(t, oracle.Ours)
	case row.differs == "":
		return row.play(t, oracle.Debian)
	}
	ours := differsMark + row.differs + "\n" + row.play(t, oracle.Ours)
	if row.alone {
		return ours
	}
	return row.play(t, oracle.Debian) + ours
}

// hold plays the row on our client and, where it is to be asked, on the original, and
// compares both with the section.
func (row goldenRow) hold(t *testing.T, section string, asked bool) {
	theirs, ours, differs := strings.Cut(section, differsMark)
	if differs {
		_, ours, _ = strings.Cut(ours, "\n")
	} else {
		ours = theirs
	}
	if diff := cmp.Diff(ours, row.play(t, oracle.Ours)); diff != "" {
		t.Errorf("ours (-want +got):\n%s", diff)
	}
	if asked && !row.alone {
		if diff := cmp.Diff(theirs, row.play(t, oracle.Debian)); diff != "" {
			t.Errorf("the original (-golden +got):\n%s", diff)
		}
	}
}

// holdAgainst plays all rows and holds them against a golden file, which
// go test -update writes; the reader judges the difference.
func holdAgainst(t *testing.T, path string, rows []goldenRow) {
	t.Helper()
	asked := oracle.Asked(t)
	sections := readSections(t, path)
	if oracle.Updating() {
		sections = make([]string, len(rows))
	} else if len(sections) != len(rows) {
		t.Fatalf("%s has %d sections for %d rows (go test -update writes it)", path, len(sections), len(rows))
	}
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				if oracle.Updating() {
					sections[i] = row.record(t)
				} else {
					row.hold(t, sections[i], asked)
				}
			})
		}
	})
	if oracle.Updating() {
		writeSections(t, path, sections)
	}
}

const sectionMark = "----\n"

func readSections(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		if oracle.Updating() {
			return nil
		}
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), sectionMark), sectionMark)
}

func writeSections(t *testing.T, path string, sections []string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(sections, sectionMark)+sectionMark), 0o644); err != nil {
		t.Fatal(err)
	}
}
