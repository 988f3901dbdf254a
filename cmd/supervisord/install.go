package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"supervisord/cmd/internal/dist"
	"supervisord/cmd/internal/getopt"
	"supervisord/runtime/lazy"
	"supervisord/spec/value"
)

// installer implements supervisord install and uninstall: what the packages do, without a
// package manager.
type installer struct {
	out    io.Writer
	root   string // before every path; "" but in tests
	from   string // the directory of the programs
	prefix string
	user   string
	run    func(name string, args ...string) error

	uid, gid int // of user
	made     map[string]string
}

// programs are copied; those that are not beside supervisord are skipped.
var programs = []string{"supervisord", "supervisorctl", "pidproxy", "echo_supervisord_conf"}

// saved is the suffix of a file that install has moved aside for its own.
const saved = ".before-supervisord"

func install(argv0 string, args []string) int {
	in, words, err := newInstaller(args, "user=", "prefix=", "print")
	if err != nil {
		return usageError(argv0, err)
	}
	if words["--print"] != "" {
		in.print()
		return 0
	}
	return in.end(in.install())
}

func uninstall(argv0 string, args []string) int {
	in, _, err := newInstaller(args, "prefix=")
	if err != nil {
		return usageError(argv0, err)
	}
	return in.end(in.uninstall())
}

func newInstaller(args []string, options ...string) (*installer, map[string]string, error) {
	opts, rest, err := getopt.Parse(args, "", options)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 {
		return nil, nil, fmt.Errorf("positional arguments are not supported: %s", value.PyRepr(rest[0]))
	}
	words := map[string]string{}
	for _, o := range opts {
		words[o.Name] = o.Value
		if o.Name == "--print" {
			words[o.Name] = "yes"
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	in := &installer{out: os.Stdout, from: filepath.Dir(self), prefix: "/usr/local", user: words["--user"], run: command}
	if dir := words["--prefix"]; dir != "" {
		if !filepath.IsAbs(dir) || strings.ContainsAny(dir, " \t\n%$\"'\\") {
			return nil, nil, fmt.Errorf("invalid value for --prefix %s: an absolute path without spaces or special characters is needed", value.PyRepr(dir))
		}
		in.prefix = filepath.Clean(dir)
	}
	if in.user == "root" {
		in.user = ""
	}
	if in.user != "" && !userName().MatchString(in.user) {
		return nil, nil, fmt.Errorf("invalid value for --user %s: not a user name", value.PyRepr(in.user))
	}
	return in, words, nil
}

// command runs a tool of the system. This process supervises nothing.
func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func (in *installer) end(err error) int {
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		return 1
	}
	return 0
}

// files are what is installed beside the programs.
func (in *installer) files() []dist.File {
	return dist.Files(dist.Options{Prefix: in.prefix, Units: "/etc/systemd/system", User: in.user})
}

// print shows what would be written.
func (in *installer) print() {
	for _, name := range programs {
		fmt.Fprintf(in.out, "# %s: a copy of %s\n", filepath.Join(in.prefix, "bin", name), filepath.Join(in.from, name))
	}
	for _, f := range in.files() {
		switch {
		case f.Dir:
			fmt.Fprintf(in.out, "# %s: a directory, mode %04o\n", f.Path, f.Mode)
		case strings.Contains(f.Path, "/share/"):
			fmt.Fprintf(in.out, "# %s\n", f.Path)
		default:
			fmt.Fprintf(in.out, "\n# %s\n%s", f.Path, f.Content)
		}
	}
}

// manifest is the list of what install has made, with a checksum of each file.
func (in *installer) manifest() string {
	return in.root + filepath.Join(in.prefix, "share", "supervisord", "installed.json")
}

func (in *installer) install() error {
	if err := in.ready(); err != nil {
		return err
	}
	for _, name := range programs {
		content, err := os.ReadFile(filepath.Join(in.from, name))
		if errors.Is(err, fs.ErrNotExist) {
			in.say("skipped %s: it is not beside supervisord", name)
			continue
		}
		if err == nil {
			err = in.put(dist.File{Path: filepath.Join(in.prefix, "bin", name), Content: string(content), Mode: 0o755})
		}
		if err != nil {
			return in.undone(err)
		}
	}
	for _, f := range in.files() {
		if err := in.put(f); err != nil {
			return in.undone(err)
		}
	}
	if err := in.remember(); err != nil {
		return in.undone(err)
	}
	if _, err := os.Stat(in.root + "/run/systemd/system"); err != nil {
		as := ""
		if in.user != "" {
			as = " -u " + in.user
		}
		in.say("systemd is not running: start it with %s/bin/supervisord%s -c /etc/supervisor/supervisord.conf", in.prefix, as)
		return nil
	}
	in.say("starting the unit supervisor")
	if err := in.run("systemctl", "daemon-reload"); err != nil {
		return err
	}
	return in.run("systemctl", "enable", "--now", "supervisor.service")
}

// ready checks that the installation is possible, and creates the user if needed.
func (in *installer) ready() error {
	if in.root == "" && os.Geteuid() != 0 {
		return errors.New("only root can install; --print shows what would be")
	}
	if in.made = map[string]string{}; in.recall() == nil && len(in.made) > 0 {
		return fmt.Errorf("it is already installed in %s: run supervisord uninstall first", in.prefix)
	}
	if unit := in.active(); unit != "" {
		return fmt.Errorf("the unit %s is running: stop it and its programs with systemctl stop %[1]s, then run this again", unit)
	}
	if in.user == "" {
		return nil
	}
	account, err := user.Lookup(in.user)
	if err != nil {
		in.say("creating the user %s", in.user)
		if err := in.run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", in.user); err != nil {
			return fmt.Errorf("cannot create the user %s: %w", in.user, err)
		}
		if account, err = user.Lookup(in.user); err != nil {
			return err
		}
	}
	if in.uid, err = strconv.Atoi(account.Uid); err == nil {
		in.gid, err = strconv.Atoi(account.Gid)
	}
	return err
}

// active names a unit of Debian's package, or of a tutorial, that is running. Its daemon has
// the socket and runs the programs that ours would run a second time; systemd would take
// our unit for it.
func (in *installer) active() string {
	if _, err := os.Stat(in.root + "/run/systemd/system"); err != nil {
		return ""
	}
	for _, unit := range []string{"supervisor.service", "supervisord.service"} {
		if in.run("systemctl", "is-active", "--quiet", unit) == nil {
			return unit
		}
	}
	return ""
}

// put creates a file or a directory. An existing file is kept if it belongs to the
// administrator, else moved aside.
func (in *installer) put(f dist.File) error {
	name := in.root + f.Path
	old, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lost := os.Lstat(name); lost == nil {
			return fmt.Errorf("%s is a dangling link: remove it first", name)
		}
	}
	aside := ""
	switch {
	case f.Dir:
		if _, err := os.Lstat(name); err == nil {
			in.say("kept %s: it exists already", f.Path)
			return nil
		}
		if err := in.parents(f.Path); err != nil {
			return err
		}
		if err := os.Mkdir(name, f.Mode); err != nil {
			return err
		}
	case err == nil && (f.Config || string(old) == f.Content):
		in.say("kept %s: it exists already", f.Path)
		return nil
	case err == nil:
		aside = name + saved
		if _, err := os.Lstat(aside); err == nil {
			return fmt.Errorf("%s is left over from an earlier install: remove it, or move it back", aside)
		}
		fallthrough
	default:
		if err := in.parents(f.Path); err != nil {
			return err
		}
		if err := in.write(name, aside, f); err != nil {
			return err
		}
		if aside != "" {
			in.say("moved %s to %s", f.Path, filepath.Base(aside))
		}
	}
	in.made[f.Path] = sum(f)
	in.say("created %s", f.Path)
	if f.Owned && in.user != "" {
		return os.Chown(name, in.uid, in.gid)
	}
	return nil
}

// write creates a file under a temporary name and renames it; a file that was there is
// first moved aside, unless that is "". If it fails, everything is as it was.
func (in *installer) write(name, aside string, f dist.File) (err error) {
	temp := name + ".new-supervisord"
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	if err := os.WriteFile(temp, []byte(f.Content), f.Mode); err != nil {
		return err
	}
	if aside != "" {
		if err := os.Rename(name, aside); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Rename(aside, name))
			}
		}()
	}
	return os.Rename(temp, name)
}

// parents creates the missing directories above a path, and remembers them.
func (in *installer) parents(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(in.root + dir); err == nil || dir == "/" {
		return nil
	}
	if err := in.parents(dir); err != nil {
		return err
	}
	in.made[dir] = ""
	return os.Mkdir(in.root+dir, 0o755)
}

// undone removes what was made before an error.
func (in *installer) undone(err error) error {
	in.say("failed: removing what was created")
	return errors.Join(err, in.takeAway())
}

func (in *installer) uninstall() error {
	if in.root == "" && os.Geteuid() != 0 {
		return errors.New("only root can uninstall")
	}
	if err := in.recall(); err != nil {
		return fmt.Errorf("nothing is installed in %s: %w", in.prefix, err)
	}
	if _, err := os.Stat(in.root + "/run/systemd/system"); err == nil {
		in.say("stopping the unit supervisor")
		if err := in.run("systemctl", "disable", "--now", "supervisor.service"); err != nil {
			in.say("it was not running: %v", err)
		}
		defer in.run("systemctl", "daemon-reload")
	}
	if err := os.Remove(in.manifest()); err != nil {
		return err
	}
	return in.takeAway()
}

// takeAway removes what install has made, the deepest first. Files that were changed since
// are kept, and so are directories that are not empty.
func (in *installer) takeAway() error {
	var failed error
	for _, path := range slices.Backward(in.sorted()) {
		name := in.root + path
		if in.made[path] != "" {
			content, err := os.ReadFile(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err == nil && sum(dist.File{Content: string(content)}) != in.made[path]:
				in.say("kept %s: it was changed", path)
				continue
			}
		}
		err := os.Remove(name)
		if in.made[path] == "" && err != nil {
			in.say("kept %s: it is not empty", path)
			continue
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		in.say("removed %s", path)
		if os.Rename(name+saved, name) == nil {
			in.say("restored %s", path)
		}
	}
	return failed
}

func (in *installer) sorted() (paths []string) {
	for path := range in.made {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func (in *installer) remember() error {
	file := strings.TrimPrefix(in.manifest(), in.root)
	if err := in.parents(file); err != nil {
		return err
	}
	text, err := json.MarshalIndent(in.made, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(in.manifest(), text, 0o644)
}

func (in *installer) recall() error {
	text, err := os.ReadFile(in.manifest())
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &in.made)
}

// sum is a checksum by which a changed file is recognised; a directory has none.
func sum(f dist.File) string {
	if f.Dir {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(f.Content)))
}

var userName = lazy.Regexp(`^[a-z_][a-z0-9_-]*$`)

func (in *installer) say(format string, args ...any) { fmt.Fprintf(in.out, format+"\n", args...) }
