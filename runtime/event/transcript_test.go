package event

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"supervisord/runtime/exact"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts plays each testdata/*.txt. A line at the left margin is a
// comment or a command; what it brought about is below, indented.
//
//	pool NAME key=value…      make the pool: events buffer listeners handler stall
//	change key=value…         the same keys, for the pool as it stands
//	spawned L, exited L       the process of a listener, and run L, rest L: in or
//	                          out of state RUNNING
//	offer DATA                a REMOTE_COMMUNICATION event; also group NAME
//	dispatch                  after which the times of waiting are known
//	output L "text"           what a listener wrote
//	read L, broken L          what became of the last write to it
//	pass 10s                  time passes
//	status                    numbers, listeners and the deadline
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	seen := make(map[string]bool)
	for _, path := range append(paths, paths...) {
		handOver, name := seen[path], strings.TrimSuffix(filepath.Base(path), ".txt")
		if seen[path] = true; handOver {
			name += ", handed over before each command"
		}
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := &stage{now: start, running: make(map[string]bool), t: t}
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				if strings.HasPrefix(line, " ") {
					continue
				}
				got.WriteString(line)
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					if handOver && s.pool != nil {
						s.pool = handedOver(t, s.pool, s.options, s.now)
					}
					for _, out := range s.play(line) {
						got.WriteString("    " + out + "\n")
					}
				}
			}
			if *update {
				if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// handedOver is a pool that was written down and read again.
func handedOver(t *testing.T, p *Pool, o Options, now time.Time) *Pool {
	t.Helper()
	data, err := exact.Marshal(p.Save(now))
	if err != nil {
		t.Fatal(err)
	}
	var saved Saved
	if err := exact.Unmarshal(data, &saved); err != nil {
		t.Fatal(err)
	}
	if err := saved.Check(); err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	return Resume(o, &saved, now)
}

var start = time.Unix(1201063880, 0)

// stage is the loop's part in a transcript.
type stage struct {
	t       *testing.T
	pool    *Pool
	options Options
	serials Serials
	now     time.Time
	running map[string]bool
}

func (s *stage) play(line string) []string {
	verb, rest, _ := strings.Cut(line, " ")
	name, rest2, _ := strings.Cut(rest, " ")
	switch verb {
	case "pool":
		s.options = Options{Name: name, Server: "supervisor", Serials: &s.serials}
		s.set(rest2)
		s.pool = New(s.options)
	case "change":
		s.set(rest)
		return s.show(s.pool.Change(s.options, s.now))
	case "spawned":
		s.pool.Spawned(s.index(name), s.now)
	case "exited":
		s.running[name] = false
		return s.show(s.pool.Exited(s.index(name), s.now))
	case "run", "rest":
		s.running[name] = verb == "run"
	case "offer":
		return s.show(s.pool.Offer(RemoteCommunicated("t", rest)))
	case "group":
		return s.show(s.pool.Offer(GroupAdded(name)))
	case "dispatch":
		return s.show(s.pool.Dispatch(s.now, func(i int) bool { return s.running[s.options.Listeners[i]] }))
	case "output":
		text, err := strconv.Unquote(rest2)
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		return s.show(s.pool.Output(s.index(name), []byte(text), s.now))
	case "read", "broken":
		return s.show(s.pool.Written(s.index(name), verb == "read", s.now))
	case "pass":
		d, err := time.ParseDuration(name)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "status":
		return s.status()
	default:
		s.t.Fatalf("no such command: %s", line)
	}
	return nil
}

func (s *stage) set(words string) {
	for _, word := range strings.Fields(words) {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "events":
			s.options.Subscription, err = Subscribe(strings.Split(value, ","))
		case "buffer":
			s.options.BufferSize, err = strconv.Atoi(value)
		case "listeners":
			s.options.Listeners = strings.Split(value, ",")
		case "handler":
			s.options.Handler, _ = LookupHandler(value)
		case "stall":
			s.options.StallTimeout, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("no such option: %s", word)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stage) index(name string) int {
	i := slices.Index(s.options.Listeners, name)
	if i < 0 {
		s.t.Fatalf("no listener %s", name)
	}
	return i
}

var levels = map[slog.Level]string{slog.LevelDebug: "DEBG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARN", slog.LevelError: "ERRO"}

func (s *stage) show(effects []Effect) []string {
	var lines []string
	for _, e := range effects {
		switch e.Kind {
		case Log:
			lines = append(lines, levels[e.Line.Level]+" "+e.Line.String())
		case Send:
			lines = append(lines, fmt.Sprintf("send %s %q", s.options.Listeners[e.Listener], e.Data))
		case Print:
			lines = append(lines, fmt.Sprintf("print %q", e.Data))
		case Restart:
			lines = append(lines, "restart "+s.options.Listeners[e.Listener])
		}
	}
	return lines
}

func (s *stage) status() []string {
	line := fmt.Sprintf("waiting %d, dropped %d", s.pool.Waiting(), s.pool.Dropped())
	if d := s.pool.Deadline(); !d.IsZero() {
		line += ", deadline in " + d.Sub(s.now).String()
	}
	lines := []string{line}
	for i, name := range s.options.Listeners {
		st := s.pool.Listener(i)
		line := name + " " + st.State.String()
		if !st.Since.IsZero() {
			line += " for " + s.now.Sub(st.Since).String()
		}
		lines = append(lines, line)
	}
	return lines
}
