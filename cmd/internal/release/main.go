// Command release builds what people install: static programs for every system, an
// archive of each, packages for Linux, checksums and a list of what is in them.
//
//	go run ./cmd/internal/release -o dist
//
// The result depends only on the tree, its commit and the Go that builds it: built
// elsewhere or another day, every byte is the same. Packages are made by nfpm, which is
// run at a fixed version, so that its many dependencies are none of the programs'.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/cmd/internal/build"
	"supervisord/cmd/internal/dist"
)

// compatible is the version of Supervisor that other packages find here.
const compatible = "4.3.0"

// nfpm is the last release whose dependencies are all available from the module proxy.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0"

// target is a system, and what packages call its processor; "" where there are none.
type target struct{ goos, goarch, arm, pkg string }

var targets = []target{
	{"linux", "amd64", "", "amd64"}, {"linux", "arm64", "", "arm64"}, {"linux", "arm", "7", "arm7"},
	{"linux", "386", "", "386"}, {"linux", "riscv64", "", "riscv64"},
	{"darwin", "amd64", "", ""}, {"darwin", "arm64", "", ""}, {"freebsd", "amd64", "", ""}, {"freebsd", "arm64", "", ""},
}

func (t target) String() string {
	name := t.goos + "-" + t.goarch
	if t.arm != "" {
		name += "v" + t.arm
	}
	return name
}

var programs = []string{"supervisord", "supervisorctl", "pidproxy", "echo_supervisord_conf"}

//go:embed *.sh
var scripts embed.FS

func main() {
	log.SetFlags(0)
	out := flag.String("o", "dist", "the directory that gets everything; it is emptied first")
	only := flag.String("only", "", "such as linux-amd64: nothing else")
	version := flag.String("version", build.Version, "of the packages, for a test of an upgrade")
	tool := flag.String("nfpm", "", "a program to use in place of the one that go run fetches")
	flag.Parse()
	r := release{out: *out, version: *version, nfpm: []string{"go", "run", nfpm}}
	if *tool != "" {
		r.nfpm = []string{*tool}
	}
	if err := r.run(*only); err != nil {
		log.Fatal("cannot build the release: ", err)
	}
}

type release struct {
	out, version string
	nfpm         []string
	commit       string
	time         time.Time // of the commit
}

func (r *release) run(only string) error {
	head, err := exec.Command("git", "log", "-1", "--format=%H %ct").Output()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	commit, seconds, _ := strings.Cut(strings.TrimSpace(string(head)), " ")
	when, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	r.commit, r.time = commit, time.Unix(when, 0).UTC()
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, t := range targets {
		if only != "" && t.String() != only {
			continue
		}
		log.Print(t)
		if err := r.target(t); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return r.checksums()
}

// target builds the programs for one system, and all that holds them.
func (r *release) target(t target) error {
	bin := filepath.Join(r.out, t.String())
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X supervisord/cmd/internal/build.Commit=" + r.commit, "-o", bin + "/"}
	for _, name := range programs {
		args = append(args, "./cmd/"+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+t.goos, "GOARCH="+t.goarch, "GOARM="+t.arm)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	if err := r.bill(t, bin); err != nil {
		return err
	}
	if err := r.archive(t, bin); err != nil {
		return err
	}
	if t.pkg == "" {
		return nil
	}
	return r.packages(t, bin)
}

// name is that of a file for one system.
func (r *release) name(t target, suffix string) string {
	return filepath.Join(r.out, fmt.Sprintf("supervisord-%s-%s%s", r.version, t, suffix))
}

// archive packs the programs and the manual pages.
func (r *release) archive(t target, bin string) error {
	var packed bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is one
	w := tar.NewWriter(zip)
	dir := fmt.Sprintf("supervisord-%s-%s/", r.version, t)
	add := func(name string, mode int64, content []byte) error {
		err := w.WriteHeader(&tar.Header{Name: dir + name, Mode: mode, Size: int64(len(content)), ModTime: r.time, Format: tar.FormatUSTAR})
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	for _, name := range programs {
		content, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			return err
		}
		if err := add(name, 0o755, content); err != nil {
			return err
		}
	}
	for _, f := range dist.Files(dist.Options{}) {
		if strings.Contains(f.Path, "/man/") {
			if err := add(path.Base(f.Path), 0o644, []byte(f.Content)); err != nil {
				return err
			}
		}
	}
	if err := cmp.Or(w.Close(), zip.Close()); err != nil {
		return err
	}
	return os.WriteFile(r.name(t, ".tar.gz"), packed.Bytes(), 0o644)
}

// bill lists the modules in the programs, as CycloneDX has it.
func (r *release) bill(t target, bin string) error {
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	}
	var parts []component
	for _, name := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(bin, name))
		if err != nil {
			return err
		}
		std := strings.TrimPrefix(info.GoVersion, "go")
		parts = append(parts, component{"library", "stdlib", std, "pkg:golang/stdlib@" + std})
		for _, d := range info.Deps {
			parts = append(parts, component{"library", d.Path, d.Version, "pkg:golang/" + d.Path + "@" + d.Version})
		}
	}
	slices.SortFunc(parts, func(a, b component) int { return cmp.Compare(a.PURL, b.PURL) })
	text, err := json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata": map[string]any{
			"timestamp": r.time.Format(time.RFC3339),
			"component": component{"application", "supervisord", r.version, "pkg:generic/supervisord@" + r.version},
		},
		"components": slices.Compact(parts),
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.name(t, ".cdx.json"), append(text, '\n'), 0o644)
}

// packages has nfpm make a .deb, an .rpm and an .apk.
func (r *release) packages(t target, bin string) error {
	stage, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	config, err := r.describe(t, bin, stage)
	if err != nil {
		return err
	}
	file := filepath.Join(stage, "nfpm.json")
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm", "apk"} {
		cmd := exec.Command(r.nfpm[0], append(r.nfpm[1:], "package", "-f", file, "-p", kind, "-t", r.name(t, "."+kind))...)
		cmd.Env = append(os.Environ(), "GOFLAGS=", "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.time.Unix(), 10))
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nfpm: %w\n%s", err, text)
		}
	}
	return nil
}

// describe makes the description for nfpm, and puts the files that it names into a
// directory. JSON is YAML, too.
func (r *release) describe(t target, bin, stage string) ([]byte, error) {
	var contents []any
	// add has a file in the packages of one kind alone, or in all if packager is "".
	add := func(dst, src, kind string, mode os.FileMode, packager string) {
		contents = append(contents, map[string]any{
			"dst": dst, "src": src, "type": kind, "packager": packager,
			"file_info": map[string]any{"mode": mode, "mtime": r.time.Format(time.RFC3339), "owner": "root", "group": "root"},
		})
	}
	for _, name := range programs {
		add("/usr/bin/"+name, filepath.Join(bin, name), "", 0o755, "")
	}
	write := func(name, content string) (string, error) {
		file := filepath.Join(stage, strings.ReplaceAll(strings.Trim(name, "/"), "/", "+"))
		err := os.WriteFile(file, []byte(content), 0o644)
		if err == nil { // an .apk has the times of its scripts
			err = os.Chtimes(file, r.time, r.time)
		}
		return file, err
	}
	for _, f := range dist.Files(dist.Options{}) {
		if f.Dir {
			add(f.Path, "", "dir", f.Mode, "")
			continue
		}
		dst, kind := f.Path, ""
		switch {
		case dst == "/etc/supervisor/supervisord.conf":
			dst = "/usr/share/supervisord/supervisord.conf" // copied by postinstall.sh, if there is none
		case f.Config:
			kind = "config|noreplace"
		}
		src, err := write(f.Path, f.Content)
		if err != nil {
			return nil, err
		}
		if path.Base(dst) == "supervisor.service" {
			add("/usr/share/supervisord/supervisor.service", src, kind, f.Mode, "deb") // copied by postinstall.sh
			add(dst, src, kind, f.Mode, "rpm")
			add(dst, src, kind, f.Mode, "apk")
			continue
		}
		add(dst, src, kind, f.Mode, "")
	}
	scriptFiles := map[string]any{}
	for _, name := range []string{"postinstall", "preremove", "postremove"} {
		text, err := scripts.ReadFile(name + ".sh")
		if err != nil {
			return nil, err
		}
		if scriptFiles[name], err = write(name+".sh", string(text)); err != nil {
			return nil, err
		}
	}
	return json.Marshal(map[string]any{
		"name": "supervisord", "arch": t.pkg, "platform": "linux", "version": r.version, "version_schema": "none", "release": "1",
		"section": "admin", "priority": "optional", "mtime": r.time.Format(time.RFC3339),
		"maintainer":  "The supervisord maintainers <maintainers@supervisord.invalid>",
		"description": "process supervisor that keeps programs as configuration files say\nTakes the configuration files of Supervisor, and answers its clients.",
		"contents":    contents, "scripts": map[string]any{"postinstall": scriptFiles["postinstall"]}, // of several, an .apk has a random order
		"provides": []string{"supervisor"}, "conflicts": []string{"supervisor"}, "replaces": []string{"supervisor"},
		"overrides": map[string]any{
			"deb": map[string]any{
				"scripts": scriptFiles, "recommends": []string{"logrotate"},
				"provides": []string{"supervisor (= " + compatible + ")"}, // packages may need some version of it
			},
			"rpm": map[string]any{"scripts": scriptFiles},
		},
	})
}

// checksums lists all files in the directory itself, as sha256sum -c reads it.
func (r *release) checksums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
