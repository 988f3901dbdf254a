package cmd

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image is what a Containerfile says, of which ours has only these.
type image struct {
	copied     []string // names in the directory in which it is built
	to         string
	env        []string
	entrypoint []string
}

func readContainerfile(t *testing.T) (i image) {
	t.Helper()
	text, err := os.ReadFile("internal/release/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		words := strings.Fields(rest)
		switch instruction {
		case "FROM":
			if rest != "scratch" {
				t.Fatalf("the image is made FROM %s", rest)
			}
		case "COPY":
			i.copied, i.to = words[:len(words)-1], words[len(words)-1]
		case "ENV":
			i.env = append(i.env, rest)
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &i.entrypoint); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("the test does not know %q", line)
		}
	}
	return i
}

// build makes the file system of the image, and returns the size of its one layer as it is
// kept in a registry and pulled from there.
func (i image) build(t *testing.T, root string) (compressed int64) {
	t.Helper()
	bin := filepath.Join(root, i.to)
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	programs, err := static()
	if err != nil {
		t.Fatal(err)
	}
	layer, err := os.Create(filepath.Join(t.TempDir(), "layer.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	zip := gzip.NewWriter(layer)
	w := tar.NewWriter(zip)
	for _, name := range i.copied {
		content := programs[name]
		if content == nil {
			t.Fatalf("the tests do not build %s", name)
		}
		if err := os.WriteFile(filepath.Join(bin, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: path.Join(i.to, name), Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, len(content))
	}
	for _, c := range []io.Closer{w, zip} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := layer.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestImage builds the image of the Containerfile, which is small, and runs it: with a
// ConfigMap, as the kubelet mounts and changes it, and nothing else.
func TestImage(t *testing.T) {
	t.Parallel()
	requireRuntime(t)
	c := &container{t: t, name: "supervisord-test-image", bundle: t.TempDir(), output: new(lockedBuffer), ended: make(chan struct{})}
	i := readContainerfile(t)
	size := i.build(t, filepath.Join(c.bundle, "root"))
	t.Logf("the image is %.1f MB in a registry", float64(size)/1e6)
	if size > 15e6 {
		t.Errorf("the image is %d bytes, compressed", size)
	}

	config := filepath.Join(c.bundle, "config")
	// flip is a change of the ConfigMap: of names of programs, the only one that the image
	// has. Their definitions do not change.
	flip := func(data string, names ...string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(config, data), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text := "[program:" + name + "]\ncommand=supervisord --watch /nothing --socket /run/" + name + ".sock\n"
			if err := os.WriteFile(filepath.Join(config, data, name+".ini"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		next := filepath.Join(config, "..data_tmp")
		if err := os.Symlink(data, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(config, "..data")); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.Symlink("..data/"+name+".ini", filepath.Join(config, name+".ini")); err != nil && !os.IsExist(err) {
				t.Fatal(err)
			}
		}
	}
	flip("..1", "web")
	capabilities := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"}
	c.spec = map[string]any{
		"ociVersion": "1.0.0",
		"process": map[string]any{
			"user": map[string]any{"uid": 0, "gid": 0}, "cwd": "/", "args": i.entrypoint, "env": i.env, "noNewPrivileges": true,
			"capabilities": map[string]any{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"root": map[string]any{"path": "root"},
		"mounts": []any{
			mount("/proc", "proc", "proc"),
			mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
			mount("/srv/programs", "bind", config, "bind", "ro"),
		},
		"linux": map[string]any{"namespaces": []any{
			map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "ipc"},
			map[string]any{"type": "uts"}, map[string]any{"type": "network"},
		}},
	}
	c.start("")
	c.says("success: web entered RUNNING state")
	ctl := func(words ...string) string {
		t.Helper()
		out, err := c.exec(0, slices.Concat([]string{"supervisorctl"}, words)...)
		if err != nil {
			t.Fatalf("supervisorctl %q: %v\n%s\nthe container:\n%s", words, err, out, c.output)
		}
		return out
	}
	pid := ctl("pid", "web")
	flip("..2", "web", "other")
	c.says("success: other entered RUNNING state")
	ctl("wait", "-t", "60") // its readinessProbe
	if now := ctl("pid", "web"); now != pid || ctl("pid") != "1\n" {
		t.Errorf("web had the pid %s and has %s", pid, now)
	}
	c.tell("TERM")
	if status := c.end(); status != 0 || !strings.Contains(c.output.String(), "stopped: web (exit status 0)") {
		t.Errorf("the status is %d:\n%s", status, c.output)
	}
}
