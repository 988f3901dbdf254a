package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGivenBy(t *testing.T) {
	dir := t.TempDir()
	regular := filepath.Join(dir, "regular")
	if err := os.WriteFile(regular, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{regular, dir, dir + "/missing"} {
		if g, err := GivenBy(path); g != nil || err != nil {
			t.Errorf("GivenBy(%s) = %v, %v; want nothing", path, g, err)
		}
	}
	if g, err := GivenBy("/dev/null"); err != nil || g == nil || len(g.Content()) != 0 {
		t.Errorf("GivenBy(/dev/null) = %v, %v; want an empty file", g, err)
	}
	if _, err := GivenBy("/dev/zero"); err == nil {
		t.Error("a file without an end is taken")
	}
	if g, err := GivenByDescriptor(regular); g != nil || err != nil {
		t.Errorf("GivenByDescriptor(%s) = %v, %v; want nothing", regular, g, err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if g, err := GivenByDescriptor(loop); g != nil || err != nil {
		t.Errorf("GivenByDescriptor(%s) = %v, %v; want nothing", loop, g, err)
	}
}

// What was read is the file, whatever its name leads to by now; others are as they are.
func TestGivenOn(t *testing.T) {
	dir := t.TempDir()
	g, err := Give(dir+"/sub/../config", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	h := g.On(New())
	for range 2 {
		content, err := h.ReadFile(dir + "/config")
		if err != nil || string(content) != "text" {
			t.Errorf("it reads %q, %v", content, err)
		}
		if err := os.WriteFile(dir+"/config", []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := h.Stat(dir + "/config"); err != nil || info.Mode().IsRegular() || info.Size() != 4 || info.Name() != "config" {
		t.Errorf("Stat says %v, %v", info, err)
	}
	if _, err := h.ReadFile(dir + "/another"); err == nil {
		t.Error("another file is there")
	}
}
