package event

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"supervisord/runtime/state"
)

// The records in testdata/events are what the original daemon sent to listeners
// (cmd/events_test.go makes them). Each event in them is taken apart and made
// again by the functions of this package, and must be the same bytes.
func TestRecordedEventsAreMadeAgain(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/events/*.txt")
	if err != nil || len(paths) < 30 {
		t.Fatalf("only %d records: %v", len(paths), err)
	}
	met := make(map[Type]int)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for rest := string(text); rest != ""; {
			var envelope string
			envelope, rest = cutEnvelope(t, path, rest)
			met[remake(t, path, envelope)]++
		}
	}
	for typ := range typeCount {
		abstract := below[typ] != 1<<typ
		if typ.String() == "PROCESS_STATE_UNKNOWN" || typ == Tick60 || typ == Tick3600 || below[Reconcile].Has(typ) {
			continue // cannot be brought about at will, takes too long, is not the original's
		}
		if (met[typ] == 0) != abstract {
			t.Errorf("%v is in the records %d times", typ, met[typ])
		}
	}
}

// cutEnvelope splits off the first event; a newline stands after each.
func cutEnvelope(t *testing.T, path, text string) (envelope, rest string) {
	t.Helper()
	head, payload, _ := strings.Cut(text, "\n")
	_, length, _ := strings.Cut(head, " len:")
	n, err := strconv.Atoi(length)
	if err != nil {
		t.Fatalf("%s: %q: %v", path, head, err)
	}
	end := len(head) + 1
	for range n {
		_, size := utf8.DecodeRuneInString(payload)
		payload = payload[size:]
		end += size
	}
	return text[:end], strings.TrimPrefix(payload, "\n")
}

var (
	recordHead  = regexp.MustCompile(`serial:(\d+) pool:(\S+) poolserial:(\d+) eventname:(\S+)`)
	recordState = regexp.MustCompile(`^processname:(\S+) groupname:(\S+) from_state:(\S+)(?: tries:(\d+))?(?: expected:([01]))?(?: pid:(\d+))?$`)
	recordData  = regexp.MustCompile(`^processname:(\S+) groupname:(\S+) pid:(\d+)(?: channel:(\w+))?\n(?s:(.*))$`)
)

// remake makes an event of its own text, sends it through a pool and compares.
func remake(t *testing.T, path, envelope string) Type {
	t.Helper()
	head, payload, _ := strings.Cut(envelope, "\n")
	m := recordHead.FindStringSubmatch(head)
	typ, ok := Lookup(m[4])
	if !ok {
		t.Fatalf("%s: unknown type %s", path, m[4])
	}
	var ev *Event
	switch {
	case below[ProcessState].Has(typ):
		f := recordState.FindStringSubmatch(payload)
		if f == nil {
			t.Fatalf("%s: %s payload %q", path, typ, payload)
		}
		ev = StateChanged(Transition{Name: f[1], Group: f[2], From: processState(f[3]),
			To:    processState(strings.TrimPrefix(typ.String(), "PROCESS_STATE_")),
			Tries: number(f[4]), Expected: f[5] == "1", PID: number(f[6])})
	case below[ProcessLog].Has(typ), below[ProcessCommunication].Has(typ):
		f := recordData.FindStringSubmatch(payload)
		if f == nil {
			t.Fatalf("%s: %s payload %q", path, typ, payload)
		}
		data := []byte(f[5])
		if literal, is := strings.CutPrefix(f[5], "Undecodable: b"); is {
			// Python's literals of these records are Go's as well, but for the quotes.
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(literal[1:len(literal)-1], `"`, `\"`) + `"`)
			if err != nil {
				t.Fatal(err)
			}
			data = []byte(text)
		}
		channel := state.Stdout
		if strings.HasSuffix(typ.String(), "STDERR") {
			channel = state.Stderr
		}
		if below[ProcessLog].Has(typ) {
			ev = Logged(f[2], f[1], number(f[3]), channel, data)
		} else {
			ev = Communicated(f[2], f[1], number(f[3]), channel, data)
		}
	case typ == RemoteCommunication:
		kind, data, _ := strings.Cut(strings.TrimPrefix(payload, "type:"), "\n")
		ev = RemoteCommunicated(kind, data)
	case typ == SupervisorStateChangeRunning:
		ev = SupervisorRunning()
	case typ == SupervisorStateChangeStopping:
		ev = SupervisorStopping()
	case typ == ProcessGroupAdded:
		ev = GroupAdded(strings.TrimSuffix(strings.TrimPrefix(payload, "groupname:"), "\n"))
	case typ == ProcessGroupRemoved:
		ev = GroupRemoved(strings.TrimSuffix(strings.TrimPrefix(payload, "groupname:"), "\n"))
	case typ == Tick5:
		when := time.Unix(int64(number(strings.TrimPrefix(payload, "when:"))), 0)
		ev = Ticks(when.Add(-time.Second), when)[0]
	default:
		t.Fatalf("%s: no way to make a %s", path, typ)
	}

	serials := Serials{next: int64(number(m[1]))}
	p := New(Options{Name: m[2], Server: "supervisor", Serials: &serials, Subscription: below[typ], Listeners: []string{"l"}})
	p.serials = int64(number(m[3]))
	now := time.Now()
	p.Spawned(0, now)
	p.Output(0, []byte("READY\n"), now)
	p.Offer(ev)
	effects := p.Dispatch(now, func(int) bool { return true })
	if len(effects) == 0 || effects[0].Kind != Send {
		t.Fatalf("%s: %q was not sent: %v", path, payload, effects)
	}
	if got := string(effects[0].Data); got != envelope {
		t.Errorf("%s\n got %q\nwant %q", path, got, envelope)
	}
	return ev.Type
}

func processState(name string) state.Process {
	for _, s := range state.Processes {
		if s.String() == name {
			return s
		}
	}
	return -1
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // a field that is not there is 0
	return n
}
