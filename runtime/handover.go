package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"supervisord/runtime/launch"
	"supervisord/runtime/logfile"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// ErrHandedOver is what Run returns after HandOver: nothing was stopped, and the caller
// is to begin again with a Supervisor that has the Handover as Options.From, in this
// process or in the image that is executed in it.
var ErrHandedOver = errors.New("handed over")

// Handover is all that one Supervisor knows and the next one needs to go on in its
// place: the definition of every group in force, the state of every process, its pipes
// and what was read of them and is not worked on yet, the events on their way, and every
// deadline. It is plain data and open descriptors, and belongs to one goroutine.
//
// It is used up by New. Until then it can be written down and read again any number of
// times.
type Handover struct {
	data  handedOver
	files []*os.File
}

// handoverVersion is the version of the form of a Handover, and readableSince the oldest
// version whose readers understand what this one writes.
const (
	handoverVersion = 1
	readableSince   = 1
)

// handedOver is what is written down of a Handover.
type handedOver struct {
	Version       int `json:"version"`
	ReadableSince int `json:"readable_since"`
	Files         int `json:"files"` // how many descriptors go with it

	Begun  bool          `json:"begun"`
	Groups []handedGroup `json:"groups"`
}

// handedGroup is a group in force.
type handedGroup struct {
	Def       *spec.Group     `json:"definition"`
	Processes []handedProcess `json:"processes"` // in the order of the definition
}

// handedProcess is one slot of the table.
type handedProcess struct {
	Auto   [2]string `json:"auto"` // its AUTO logs, by channel
	Starts int64     `json:"starts,omitempty"`
}

// Files are the descriptors that belong to the Handover, in the order in which what
// MarshalJSON writes refers to them. They stay the Handover's. Their numbers are to be
// had with SyscallConn; Fd would make them blocking.
func (h *Handover) Files() []*os.File { return h.files }

// MarshalJSON writes down everything but the descriptors.
func (h *Handover) MarshalJSON() ([]byte, error) { return json.Marshal(&h.data) }

// ReadHandover makes a Handover of what MarshalJSON wrote and of its files, in their
// order. It checks all of it first: on an error nothing is used, and the files stay the
// caller's. A newer form is refused unless it says that this version understands it.
func ReadHandover(data []byte, files []*os.File) (*Handover, error) {
	h := &Handover{files: files}
	if err := h.read(data); err != nil {
		return nil, err
	}
	if len(files) != h.data.Files {
		return nil, fmt.Errorf("handover: it comes with %d files, and there should be %d", len(files), h.data.Files)
	}
	return h, nil
}

// CheckHandover reports whether ReadHandover would understand data, if its files come
// with it: what a new program is asked before the old one gives up its place.
func CheckHandover(data []byte) error { return new(Handover).read(data) }

func (h *Handover) read(data []byte) error {
	if err := json.Unmarshal(data, &h.data); err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	switch v := h.data.Version; {
	case v < 1:
		return errors.New("handover: it has no version")
	case v > handoverVersion && h.data.ReadableSince > handoverVersion:
		return fmt.Errorf("handover: it is of version %d, and this program understands no later one than %d", v, handoverVersion)
	}
	for i, g := range h.data.Groups {
		if g.Def == nil || len(g.Processes) != len(g.Def.Processes) {
			return fmt.Errorf("handover: group %d has %d processes that its definition does not", i, len(g.Processes))
		}
	}
	return nil
}

// Close gives the Handover up and closes its descriptors: children that write get
// SIGPIPE. It is for who will not go on with it, which never happens in the normal
// course.
func (h *Handover) Close() {
	for _, f := range h.files {
		f.Close()
	}
	h.files = nil
}

// HandOver has the Supervisor come to rest and gives out what it knows; Run returns
// ErrHandedOver. From then on it forks nothing, reads no output, signals nobody and
// reaps nobody; children are left as they are. Who waits for an answer is refused with
// Upgrading, and so is who asks later.
//
// It waits for what cannot be taken along: launches that have forked, and whatever is
// under way on a disk. Meanwhile everything goes on but launches and the reading of
// output. When ctx ends before, all of it goes on as if nothing had been asked, and the
// error says what was waited for. Other refusals: ShuttingDown.
//
// Programs whose parent must not end before them (PR_SET_PDEATHSIG, as setpriv
// --pdeathsig has it) were forked by a thread that ends with the Supervisor, and do so
// with it.
func (s *Supervisor) HandOver(ctx context.Context) (*Handover, error) {
	h := new(Handover)
	var refused error
	err := s.ask(ctx, func() {
		if refused = s.canHandOver(); refused != nil {
			return
		}
		h.data = handedOver{Version: handoverVersion, ReadableSince: readableSince, Begun: s.begun}
		for _, g := range s.groups {
			handed := handedGroup{Def: g.def}
			for _, p := range g.procs {
				handed.Processes = append(handed.Processes, handedProcess{
					Auto: [2]string{p.out[0].auto, p.out[1].auto}, Starts: p.starts,
				})
			}
			h.data.Groups = append(h.data.Groups, handed)
		}
		s.handedOver = true
	})
	if err = firstError(err, refused); err != nil {
		return nil, err
	}
	<-s.done
	return h, nil
}

// canHandOver refuses what cannot be handed over.
func (s *Supervisor) canHandOver() error {
	if s.Mood() != state.MoodRunning {
		return &Error{Kind: ShuttingDown}
	}
	for _, g := range s.groups {
		if g.pool != nil {
			return &Error{Kind: Failed, Name: g.def.Name, Detail: "event listeners cannot be handed over"}
		}
		for _, p := range g.procs {
			if p.machine.State != state.Stopped || !p.down() {
				return &Error{Kind: Failed, Name: p.name(), Detail: "only what is stopped can be handed over"}
			}
		}
	}
	return nil
}

// resume goes on from a Handover, before the first turn.
func (s *Supervisor) resume(h *Handover) {
	s.begun = h.data.Begun
	for i := range h.data.Groups {
		from := &h.data.Groups[i]
		g := &group{def: from.Def, names: make(map[string]*process), sockets: make(map[string]*launch.Socket)}
		for rank := range from.Processes {
			s.place(g, s.resumed(&from.Processes[rank], &g.def.Processes[rank]), rank)
		}
		s.groups = append(s.groups, g)
		s.byName[g.def.Name] = g
		s.reaching += reaching(g.def)
	}
}

// resumed is the process of a slot.
func (s *Supervisor) resumed(from *handedProcess, def *spec.Process) *process {
	p := &process{heapIndex: -1, starts: from.Starts}
	for ch := range p.out {
		options := s.outputOptions(def, state.Channel(ch), from.Auto[ch])
		p.out[ch] = output{log: logfile.New(options), path: options.Path, auto: from.Auto[ch]}
	}
	return p
}
