package oracle

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update is the flag of every test binary that imports this package.
var update = flag.Bool("update", false, "write golden files anew")

// Updating reports whether goldens are to be written rather than compared.
func Updating() bool { return *update }

// Pairing is a client and the daemon that it talks to.
type Pairing struct{ Client, Daemon Kind }

// String names subtests: ours-on-debian is our client on Debian's daemon.
func (p Pairing) String() string { return p.Client.String() + "-on-" + p.Daemon.String() }

// pairings begin with the one that goldens come from.
var pairings = []Pairing{{Debian, Debian}, {Ours, Ours}, {Ours, Debian}, {Debian, Ours}}

// Row is one script and where it stands.
type Row struct {
	Name   string            // of the subtest and the golden file
	Config string            // see StartDaemon; begin with Prelude unless it is the point
	Args   []string          // further arguments of supervisord
	Files  map[string]string // written to the directory before the start, as Daemon.Write does
	Steps  []Step
	// Differs says in a sentence why our programs are meant to give another
	// transcript than the original. Each pairing then has a golden of its own.
	Differs string
	// Together says the same only of our client on our daemon, which do more when
	// they meet each other; every other pairing gives the original's transcript.
	Together string
}

// differs is why a pairing is meant to give a transcript of its own, "" where it
// is not.
func (r *Row) differs(p Pairing) string {
	if r.Differs == "" && p == (Pairing{Ours, Ours}) {
		return r.Together
	}
	return r.Differs
}

// Step is one action of a script. It adds what an observer sees to the
// session's transcript.
type Step func(s *Session)

// Session is one run of a Row on one Pairing.
type Session struct {
	T      testing.TB
	Daemon *Daemon
	Client Kind

	normalise  Normaliser
	transcript strings.Builder
}

// Printf adds to the transcript; the text is normalised.
func (s *Session) Printf(format string, args ...any) {
	s.transcript.WriteString(s.normalise.Text(fmt.Sprintf(format, args...)))
}

// Ctl runs supervisorctl with these arguments and records what it printed and
// its exit status.
func Ctl(args ...string) Step { return CtlInput("", args...) }

// CtlInput is Ctl with a text on standard input.
func CtlInput(stdin string, args ...string) Step {
	return func(s *Session) {
		s.Printf("$ supervisorctl %s\n", strings.Join(args, " "))
		out := s.Daemon.CtlInput(s.Client, stdin, args...).String()
		s.transcript.WriteString(s.normalise.Ctl(args, out))
	}
}

// Write puts a file into the directory.
func Write(name, text string) Step {
	return func(s *Session) {
		s.Printf("> write %s\n", name)
		s.Daemon.Write(name, text)
	}
}

// Remove takes a file of the directory away.
func Remove(name string) Step {
	return func(s *Session) {
		s.Printf("> remove %s\n", name)
		if err := os.Remove(filepath.Join(s.Daemon.Dir, name)); err != nil {
			s.T.Fatal(err)
		}
	}
}

// Show records the content of a file of the directory.
func Show(name string) Step {
	return func(s *Session) { s.Printf("> show %s\n%s", name, s.Daemon.Read(name)) }
}

// Until waits until the process group:name is in the named state; it records
// only what it waited for.
func Until(namespec, state string) Step {
	return func(s *Session) {
		s.Printf("> until %s is %s\n", namespec, state)
		last := ""
		if !Eventually(Deadline, func() bool { last = s.Daemon.State(namespec); return last == state }) {
			s.T.Fatalf("%s did not become %s but is %q; log:\n%s", namespec, state, last, s.Daemon.Log())
		}
	}
}

// UntilLogged waits until the activity log has a line with this text.
func UntilLogged(text string) Step {
	return func(s *Session) {
		s.Printf("> until logged: %s\n", text)
		if !Eventually(Deadline, func() bool { return strings.Contains(s.Daemon.Log(), text) }) {
			s.T.Fatalf("not in the log: %q; log:\n%s", text, s.Daemon.Log())
		}
	}
}

// Call calls an XML-RPC method through the library's own client and records the
// result or the fault.
func Call(method string, params ...any) Step {
	return func(s *Session) {
		result, err := s.Daemon.Call(method, params...)
		s.Printf("> call %s%v\n", method, params)
		if err != nil {
			s.Printf("%v\n", err)
			return
		}
		s.Printf("%#v\n", result)
	}
}

// State is the name of a process's state as getProcessInfo gives it, "" when
// the daemon knows no such process.
func (d *Daemon) State(namespec string) string {
	info, err := d.call("supervisor.getProcessInfo", namespec)
	if err != nil {
		return ""
	}
	members, _ := info.(map[string]any)
	name, _ := members["statename"].(string)
	return name
}

// Run plays every row with our client and with Debian's on our daemon and, where the
// original is to be asked, on Debian's, or on our own alone where Debian's Supervisor is
// missing. It compares the transcripts with the golden file dir/NAME.txt, which the pairing
// of both originals writes with -update.
func Run(t *testing.T, dir string, rows []Row) {
	present, asked := Present(t), Asked(t)
	for _, row := range rows {
		for _, p := range pairings {
			original := p == pairings[0]
			if p.Client == Debian && !present || p.Daemon == Debian && !asked {
				continue
			}
			t.Run(row.Name+"/"+p.String(), func(t *testing.T) {
				if !(original && Updating()) { // the golden is there before it is compared with
					t.Parallel()
				}
				got := Play(t, p, row)
				golden := filepath.Join(dir, row.Name+".txt")
				differs := row.differs(p) != ""
				if differs && !original {
					golden = filepath.Join(dir, row.Name+"."+p.String()+".txt")
				}
				if Updating() && (original || differs) {
					writeGolden(t, golden, got)
					return
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatalf("%v (go test -update writes it)", err)
				}
				if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("transcript differs (-golden +%v):\n%s\nwhole transcript:\n%s", p, diff, got)
				}
			})
		}
	}
}

// Play runs one row on one pairing and returns its transcript.
func Play(t testing.TB, p Pairing, row Row) string {
	t.Helper()
	Command(t, p.Client, "supervisorctl") // built now, not while something waits for it
	d := start(t, p.Daemon, t.TempDir(), row.Config, row.Files, Surroundings{}, append([]string{"-n"}, row.Args...))
	s := &Session{T: t, Daemon: d, Client: p.Client, normalise: d.Normaliser()}
	if why := row.differs(p); why != "" {
		s.Printf("# %s\n", why)
	}
	for _, step := range row.Steps {
		step(s)
	}
	return s.transcript.String()
}

func writeGolden(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
